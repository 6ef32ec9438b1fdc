"""The station: one process that is taught, judges parts over HTTP, keeps every verdict and learns from corrections.

    settings    what stands in blemish.toml: addresses and bounds
    problems    what can be wrong with a call (RFC 9457), and what its page says
    clock       times, and ULIDs
    metrics     figures for Prometheus
    station     one object that holds all of it; the routes only ask it
    serving     starts it: socket, login link, server, end

    store/      one folder: store (opens it), database (SQLite, migrations/NNN_*.sql), writer (one at a time,
                group commit), recipes, versions, training, inspections, history, labels, jobs, users, audit
                (chained by hash), pictures
    people/     access (the one table of routes and who may call them), passwords
    work/       registry (which detector judges), part and inspectors (verdict, row, answer, picture), keeper (pictures
                and retention), bench, orders and child (jobs in a child process), golden, examine, events
    api/        app (puts it together), guard (before any route), depends, shapes (bodies), answers, then one file a
                noun: inspections, history, recipes, images, versions, jobs, people, health, kserve
    pages/      routes that return HTML, with templates/ and static/; they call the same functions as api/

Needs pip install 'blemish[serve]'. Nothing outside this room and cli/serve.py imports it.
"""
