"""Settings of gunicorn: `gunicorn --config python:config.gunicorn config.wsgi`. WEB_CONCURRENCY sets its processes.

Processes x threads is the number of requests that are served at the same time, and the most connections that they have
to each database.
"""

worker_class = "gthread"
threads = 4
# Its commands need a file that users without rights cannot make.
control_socket_disable = True
# SECURE_PROXY_SSL_HEADER alone decides which header can say that a request came by HTTPS.
secure_scheme_headers: dict[str, str] = {}
