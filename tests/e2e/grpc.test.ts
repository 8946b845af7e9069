// gRPC end to end with @grpc/grpc-js on both sides: HTTP/2 over TLS to the relay, h2c from the connector to the
// origin. All four kinds of call, metadata, trailers, status details, cancellation and deadlines.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { within } from "../harness/scratch.ts";

interface Message {
  readonly text: string;
  readonly payload?: Buffer;
  readonly count?: number;
}

interface EchoClient extends grpc.Client {
  Unary(
    message: Message,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<Message>,
  ): grpc.ClientUnaryCall;
  ServerStream(message: Message): grpc.ClientReadableStream<Message>;
  ClientStream(callback: grpc.requestCallback<Message>): grpc.ClientWritableStream<Message>;
  Bidi(metadata?: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<Message, Message>;
}

const definition = loadSync(join(import.meta.dirname, "fixtures", "echo.proto"), { keepCase: true });
const { Echo } = grpc.loadPackageDefinition(definition)["echo"] as unknown as { Echo: grpc.ServiceClientConstructor };

const STATUS_DETAILS = Buffer.from([0x08, 0x05, 0x12, 0x07, 0x6d, 0x69, 0x73, 0x73, 0x69, 0x6e, 0x67, 0xff, 0x00]);

/** Calls that the server saw cancelled, by the text of their first message. */
const cancelled = new Map<string, () => void>();

function unary(call: grpc.ServerUnaryCall<Message, Message>, callback: grpc.sendUnaryData<Message>): void {
  const { text } = call.request;
  if (text === "never") {
    call.on("cancelled", () => cancelled.get(text)?.());
    return;
  }
  if (text === "fail") {
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", STATUS_DETAILS);
    metadata.add("x-reason", "one");
    metadata.add("x-reason", "two");
    callback({ code: grpc.status.NOT_FOUND, details: "nichts dä: 100%", metadata });
    return;
  }
  const initial = new grpc.Metadata();
  initial.set("x-initial", call.metadata.get("x-sent").join("|"));
  initial.set("x-binary-bin", call.metadata.get("x-sent-bin")[0] ?? "");
  call.sendMetadata(initial);
  const trailing = new grpc.Metadata();
  trailing.set("x-trailing", "at the end");
  callback(null, call.request, trailing);
}

function serverStream(call: grpc.ServerWritableStream<Message, Message>): void {
  for (let count = 0; count < 100; count += 1) call.write({ text: call.request.text, count });
  call.end();
}

function clientStream(call: grpc.ServerReadableStream<Message, Message>, callback: grpc.sendUnaryData<Message>): void {
  let bytes = 0;
  call.on("data", (message: Message) => (bytes += message.payload?.length ?? 0));
  call.on("end", () => callback(null, { text: "sum", count: bytes }));
}

function bidi(call: grpc.ServerDuplexStream<Message, Message>): void {
  call.once("data", (first: Message) => call.on("cancelled", () => cancelled.get(first.text)?.()));
  call.on("data", (message: Message) => call.write(message));
  call.on("end", () => call.end());
}

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let client: EchoClient;

beforeAll(async () => {
  const server = new grpc.Server();
  server.addService(Echo.service, { Unary: unary, ServerStream: serverStream, ClientStream: clientStream, Bidi: bidi });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  stack.defer(() => server.forceShutdown());
  const { relay, authority } = await createBed(stack, { services: { grpc: `h2c://127.0.0.1:${port}` }, tls: true });
  const host = relay.host("grpc");
  const options = { "grpc.ssl_target_name_override": host.split(":")[0] ?? "", "grpc.default_authority": host };
  const credentials = grpc.credentials.createSsl(readFileSync(authority?.caFile ?? ""));
  client = new Echo(`ipv4:127.0.0.1:${relay.port}`, credentials, options) as unknown as EchoClient;
  stack.defer(() => client.close());
});

interface UnaryResult {
  readonly error: grpc.ServiceError | null;
  readonly message: Message | undefined;
  readonly initial: grpc.Metadata;
  readonly status: grpc.StatusObject;
}

function callUnary(message: Message, metadata: grpc.Metadata = new grpc.Metadata(), options: grpc.CallOptions = {}) {
  let call: grpc.ClientUnaryCall | undefined;
  const result = new Promise<UnaryResult>((resolve) => {
    let initial = new grpc.Metadata();
    let answered: Pick<UnaryResult, "error" | "message"> | undefined;
    let status: grpc.StatusObject | undefined;
    const settle = (): void => {
      if (answered !== undefined && status !== undefined) resolve({ ...answered, initial, status });
    };
    call = client.Unary(message, metadata, options, (error, reply) => {
      answered = { error, message: reply };
      settle();
    });
    call.on("metadata", (received: grpc.Metadata) => (initial = received));
    call.on("status", (received: grpc.StatusObject) => {
      status = received;
      settle();
    });
  });
  return { result: within(20_000, "a unary answer", result), cancel: () => call?.cancel() };
}

test("a unary call carries metadata, message and trailers both ways", async () => {
  const metadata = new grpc.Metadata();
  metadata.add("x-sent", "one");
  metadata.set("x-sent-bin", Buffer.from([0, 255, 13, 10]));
  const { error, message, initial, status } = await callUnary({ text: "grüße", payload: Buffer.alloc(1_000_000, 3) }, metadata).result;
  expect(error).toBeNull();
  expect(message?.text).toBe("grüße");
  expect(message?.payload?.equals(Buffer.alloc(1_000_000, 3))).toBe(true);
  expect(initial.get("x-initial")).toEqual(["one"]);
  expect(initial.get("x-binary-bin")).toEqual([Buffer.from([0, 255, 13, 10])]);
  expect(status.code).toBe(grpc.status.OK);
  expect(status.metadata.get("x-trailing")).toEqual(["at the end"]);
});

test("an error keeps its code, its message and its status details", async () => {
  const { error } = await callUnary({ text: "fail" }).result;
  expect(error?.code).toBe(grpc.status.NOT_FOUND);
  expect(error?.details).toBe("nichts dä: 100%");
  expect(error?.metadata.get("grpc-status-details-bin")).toEqual([STATUS_DETAILS]);
  expect(error?.metadata.get("x-reason").join(", ")).toBe("one, two");
});

test("a server stream arrives whole and in order", async () => {
  const received: number[] = [];
  for await (const message of client.ServerStream({ text: "count" })) received.push((message as Message).count ?? -1);
  expect(received).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test("a client stream of 20 MB is received whole", async () => {
  const sum = new Promise<Message | undefined>((resolve, reject) => {
    const call = client.ClientStream((error, reply) => (error ? reject(error) : resolve(reply)));
    for (let index = 0; index < 200; index += 1) call.write({ text: "part", payload: Buffer.alloc(100_000) });
    call.end();
  });
  expect((await within(30_000, "the sum", sum))?.count).toBe(20_000_000);
});

test("a bidirectional stream is a conversation: each answer comes before the next question", async () => {
  const call = client.Bidi();
  for (let count = 0; count < 50; count += 1) {
    const reply = once(call, "data");
    call.write({ text: "ping", count });
    expect(((await within(5_000, `answer ${count}`, reply)) as [Message])[0].count).toBe(count);
  }
  const status = once(call, "status");
  call.end();
  call.resume();
  expect(((await within(5_000, "the status", status)) as [grpc.StatusObject])[0].code).toBe(grpc.status.OK);
});

test("cancelling a stream reaches the server", async () => {
  const seen = new Promise<void>((resolve) => cancelled.set("cancel me", resolve));
  const call = client.Bidi();
  const ended = new Promise<grpc.ServiceError>((resolve) => call.on("error", (error: grpc.ServiceError) => resolve(error)));
  const reply = once(call, "data");
  call.write({ text: "cancel me" });
  await within(5_000, "the first answer", reply);
  call.cancel();
  expect((await within(5_000, "the client's end", ended)).code).toBe(grpc.status.CANCELLED);
  await within(5_000, "the server to see it", seen);
});

test("a deadline ends the call on both sides", async () => {
  const seen = new Promise<void>((resolve) => cancelled.set("never", resolve));
  const { error } = await callUnary({ text: "never" }, new grpc.Metadata(), { deadline: Date.now() + 500 }).result;
  expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
  await within(5_000, "the server to see it", seen);
});

test("a method that does not exist is answered by the server, not by a hop", async () => {
  const call = client.makeUnaryRequest(
    "/echo.Echo/Missing",
    () => Buffer.alloc(0),
    () => null,
    null,
    () => {},
  );
  const [status] = (await within(5_000, "the status", once(call, "status"))) as [grpc.StatusObject];
  expect(status.code).toBe(grpc.status.UNIMPLEMENTED);
});
