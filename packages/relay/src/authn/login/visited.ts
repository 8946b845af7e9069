// At which applications a session was signed in, so that a sign-out can tell the browser to forget their pages: Back would
// show them from its memory else (A8). Kept for sessions that began in this process. Must not know pages or cookies.

/** Sessions that are remembered; the one that began longest ago gives way. */
export const MAX_VISITING_SESSIONS = 20_000;
/** Applications of one session; more are left out. */
export const MAX_VISITED = 64;

export class Visited {
  readonly #max: number;
  /** By session id, in the order in which they began. */
  readonly #places = new Map<string, Set<string>>();

  constructor(max: number = MAX_VISITING_SESSIONS) {
    this.#max = max;
  }

  get size(): number {
    return this.#places.size;
  }

  begin(sessionId: string): void {
    if (this.#places.size >= this.#max) this.#places.delete(this.#places.keys().next().value as string);
    this.#places.set(sessionId, new Set());
  }

  /**
   * Nothing where the session is not remembered: half a list would pass for a whole one.
   * @param place address of the application's first page
   */
  add(sessionId: string, place: string): void {
    const places = this.#places.get(sessionId);
    if (places !== undefined && places.size < MAX_VISITED) places.add(place);
  }

  /** Forgets the session. @returns the addresses of its applications; undefined where it is not remembered */
  take(sessionId: string): readonly string[] | undefined {
    const places = this.#places.get(sessionId);
    this.#places.delete(sessionId);
    return places === undefined ? undefined : [...places];
  }
}
