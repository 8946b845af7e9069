// A list of callbacks: what a store tells about its changes.

/** Cancels a subscription; idempotent. */
export type Unsubscribe = () => void;

export interface Listeners<T> {
  add(listener: (value: T) => void): Unsubscribe;
  /** Calls all, in order; one that throws does not keep the rest from hearing, and the first error is thrown at the end. */
  notify(value: T): void;
}

export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<(value: T) => void>();
  return {
    add(listener) {
      // Wrapped, so that one function subscribed twice is two subscriptions.
      const entry = (value: T): void => listener(value);
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    notify(value) {
      const errors: unknown[] = [];
      for (const listener of listeners) {
        try {
          listener(value);
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    },
  };
}
