"""Room 6, the report: tables, pictures and pages made of results."""
