"""The work of a station: which detector judges, inspections on threads, pictures after answers, jobs in a child."""
