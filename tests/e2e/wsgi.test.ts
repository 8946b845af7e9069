// A Python WSGI application (Flask on gunicorn) behind the tunnel: forms, query, cookies, redirects, streaming.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { need } from "../harness/need.ts";
import { command, Program } from "../harness/program.ts";
import { freePort, scratchFolder } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

const APPLICATION = `
from flask import Flask, Response, jsonify, redirect, request

app = Flask(__name__)

@app.post("/form")
def form():
    return jsonify(fields=request.form.to_dict(flat=False), host=request.host)

@app.get("/query")
def query():
    return jsonify(args=request.args.to_dict(flat=False), path=request.full_path)

@app.get("/login")
def login():
    answer = redirect("/home?from=login")
    answer.set_cookie("a", "1", httponly=True)
    answer.set_cookie("b", "2", path="/home")
    return answer

@app.get("/environ")
def environ():
    return jsonify({name: value for name, value in request.environ.items() if name.startswith("HTTP_")})

@app.post("/sum")
def total():
    return jsonify(bytes=sum(len(chunk) for chunk in iter(lambda: request.stream.read(65536), b"")))

@app.get("/rows")
def rows():
    return Response((f"row {n}\\n" for n in range(10000)), mimetype="text/plain")
`;

test("a Flask application on gunicorn works through the tunnel", async (context) => {
  const [gunicorn = ""] = need(context, "gunicorn");
  const python = "/usr/bin/python3";
  const { code } = await command(python, ["-c", "import flask"]);
  if (code !== 0) need(context, "python3-flask");

  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  writeFileSync(join(folder, "application.py"), APPLICATION);
  const port = await freePort();
  const args = [gunicorn, "--bind", `127.0.0.1:${port}`, "--workers", "2", "--worker-tmp-dir", folder, "application:app"];
  const wsgi = stack.use(new Program({ name: "gunicorn", command: python, args, cwd: folder }));
  await wsgi.line(/Listening at/);
  const { relay } = await createBed(stack, { services: { flask: `http://127.0.0.1:${port}` } });

  const form = await visit(relay, "flask", "/form", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "name=J%C3%BCrgen&tag=a&tag=b+c",
  });
  expect(form.status).toBe(200);
  expect(form.json()).toEqual({ fields: { name: ["Jürgen"], tag: ["a", "b c"] }, host: relay.host("flask") });

  const query = await visit(relay, "flask", "/query?x=1&x=%2F&empty=");
  expect(query.json()).toEqual({ args: { x: ["1", "/"], empty: [""] }, path: "/query?x=1&x=%2F&empty=" });

  const login = await visit(relay, "flask", "/login");
  expect(login.status).toBe(302);
  expect(login.headers.location).toBe("/home?from=login");
  expect(login.headers["set-cookie"]).toEqual(["a=1; HttpOnly; Path=/", "b=2; Path=/home"]);

  // WSGI turns X-Real-User and X_Real_User into one name: the one with underscores must not get through (R-C2).
  const environ = await visit(relay, "flask", "/environ", { headers: { X_Forwarded_User: "root", "X-Plain": "kept" } });
  const seen = environ.json() as Record<string, string>;
  expect(seen["HTTP_X_PLAIN"]).toBe("kept");
  expect(seen["HTTP_X_FORWARDED_USER"]).toBeUndefined();
  expect(seen["HTTP_X_FORWARDED_FOR"]).toBe("127.0.0.1");

  const upload = await visit(relay, "flask", "/sum", { method: "POST", body: Buffer.alloc(5_000_000, 1) });
  expect(upload.json()).toEqual({ bytes: 5_000_000 });

  const rows = await visit(relay, "flask", "/rows");
  expect(rows.text().split("\n").length).toBe(10_001);
  expect(rows.text().endsWith("row 9999\n")).toBe(true);
});
