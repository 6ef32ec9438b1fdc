"""The pages: routes (router, and ACCESS: what each route needs), templates/ (Jinja2), static/ (served as /static/)."""
