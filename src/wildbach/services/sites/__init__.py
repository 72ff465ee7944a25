"""Sites: what one key publishes as pages, followed by its readers, who keep every version they have alive. It knows no
HTTP: the
gateway shows what is here.
"""
