// The life of a stream: one state, one transition table (docs/protocol.md section 5).

export type StreamState = "open" | "half-closed-local" | "half-closed-remote" | "closed";
export type StreamEvent = "end-sent" | "end-received" | "reset";

const TRANSITIONS: Readonly<Record<StreamState, Readonly<Record<StreamEvent, StreamState>>>> = {
  open: { "end-sent": "half-closed-local", "end-received": "half-closed-remote", reset: "closed" },
  "half-closed-local": { "end-sent": "half-closed-local", "end-received": "closed", reset: "closed" },
  "half-closed-remote": { "end-sent": "closed", "end-received": "half-closed-remote", reset: "closed" },
  closed: { "end-sent": "closed", "end-received": "closed", reset: "closed" },
};

export function transition(state: StreamState, event: StreamEvent): StreamState {
  return TRANSITIONS[state][event];
}

/** Whether this side may still send on the stream. */
export function canSend(state: StreamState): boolean {
  return state === "open" || state === "half-closed-remote";
}

/** Whether the peer may still send on the stream. */
export function canReceive(state: StreamState): boolean {
  return state === "open" || state === "half-closed-local";
}
