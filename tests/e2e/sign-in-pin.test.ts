// Sign-in with the built command lines and a one-time PIN from the relay's terminal: what is open with a login is closed
// with it, and nothing else (A8, R-I1, R-I2).

import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { startConnector } from "../harness/connector.ts";
import { startRelay, type Relay } from "../harness/relay.ts";
import { within } from "../harness/scratch.ts";
import { Visitor } from "../harness/sign-in.ts";
import { answer, openVisit } from "../harness/visitor.ts";

const SIGN_IN = {
  identityProviders: [{ name: "email", type: "one-time-pin", delivery: "terminal" }],
  policies: [{ name: "signed-in", action: "allow", include: [{ everyone: true }] }],
};
/** R-I2. */
const CLOSED_WITHIN_MS = 5_000;

async function openEvents(
  relay: Relay,
  visitor: Visitor,
  application: string,
): Promise<{ response: IncomingMessage; closed: Promise<unknown> }> {
  const request = openVisit(relay, application, "/sse", { headers: { accept: "text/event-stream", cookie: visitor.cookie(application) } });
  request.end();
  const response = await answer(request);
  expect(response.statusCode).toBe(200);
  response.resume();
  response.on("error", () => {});
  return { response, closed: new Promise((resolve) => response.once("close", resolve)) };
}

it("logout of one application closes its streams, logout of everything closes all of them", async () => {
  await using stack = new AsyncDisposableStack();
  const applications = ["notes", "wiki"].map((name) => ({ name, policies: ["signed-in"] }));
  const relay = await startRelay(stack, { applications, config: SIGN_IN });
  await startConnector(stack, relay, { services: { notes: "hello", wiki: "hello" } });
  const [ann, bob] = [new Visitor(relay), new Visitor(relay)];
  await ann.signIn("notes", "/", "ann@example.com");
  await ann.open("wiki", "/");
  await bob.signIn("notes", "/", "bob@example.com");
  const notes = await openEvents(relay, ann, "notes");
  const wiki = await openEvents(relay, ann, "wiki");
  const bobs = await openEvents(relay, bob, "notes");

  await ann.open("notes", "/.sallyport/logout");
  await ann.submit({});
  await within(CLOSED_WITHIN_MS, "the stream of the application that was left to close", notes.closed);
  expect([wiki.response.destroyed, bobs.response.destroyed]).toEqual([false, false]);
  expect((await ann.ask("wiki", "/", "application/json")).status).toBe(200);

  await ann.signOut();
  await within(CLOSED_WITHIN_MS, "the stream of the session to close", wiki.closed);
  expect(bobs.response.destroyed).toBe(false);
  expect((await ann.ask("wiki", "/", "application/json")).status).toBe(401);
  expect((await bob.ask("notes", "/", "application/json")).status).toBe(200);
  bobs.response.destroy();
});
