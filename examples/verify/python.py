# An origin that verifies Sallyport-Jwt-Assertion with PyJWT (pip install "pyjwt[crypto]"; Debian: python3-jwt). Answers 200
# and says who is asking, or 403. Settings come from the environment; must not trust any other header.

import json
import os
import sys
from urllib.parse import quote
from wsgiref.simple_server import make_server

import jwt

AUTH_URL = os.environ["SALLYPORT_AUTH_URL"]  # https://auth.example.com
AUDIENCE = os.environ["SALLYPORT_AUDIENCE"]  # https://grafana.example.com: the application's public URL
# Asks again for a key that it does not know, each time: nobody but the connector should reach this port.
KEYS = jwt.PyJWKClient(os.environ.get("SALLYPORT_JWKS_URL", AUTH_URL + "/.well-known/jwks.json"), lifespan=300)


def verify_assertion(token):
    """Who is asking. Raises jwt.PyJWTError unless the assertion is genuine, current, and for this application."""
    header = jwt.get_unverified_header(token)
    # Before anything is fetched, and never a choice of the sender.
    if header.get("typ") != "sallyport-assertion+jwt" or header.get("alg") != "ES256":
        raise jwt.InvalidTokenError("not an assertion")
    return jwt.decode(
        token,
        KEYS.get_signing_key_from_jwt(token).key,
        algorithms=["ES256"],
        issuer=AUTH_URL,
        audience=AUDIENCE,
        leeway=30,
        options={"require": ["exp", "iat", "nbf", "sub"]},
    )


def application(environ, start_response):
    try:
        claims = verify_assertion(environ.get("HTTP_SALLYPORT_JWT_ASSERTION", ""))
    except jwt.PyJWTError as error:
        print("refused:", type(error).__name__, file=sys.stderr)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"who are you?\n"]
    who = {name: claims.get(name) for name in ("kind", "sub", "email")}
    start_response("200 OK", [("Content-Type", "application/json"), ("X-User", quote(who["email"] or who["sub"]))])
    return [json.dumps(who).encode() + b"\n"]


if __name__ == "__main__":
    with make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), application) as server:
        print("listening on", server.server_port, flush=True)
        server.serve_forever()
