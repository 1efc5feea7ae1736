"""Job kind ``serve_voice``: a resident host that keeps voices loaded, for other jobs and for clients over HTTP.

Other packages import ``spec`` and ``params`` only.
"""
