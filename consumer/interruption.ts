/** Why a handler is waited for no longer. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/**
 * Ends the wait for one call of a handler. The signal is made only when the handler asks for it: it would be a fifth of the
 * processor time of a call that does nothing.
 */
export class Interruption {
  #reason: Error | undefined;
  #controller: AbortController | undefined;
  #onAbort: ((reason: Error) => void) | undefined;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#onAbort?.(reason);
  }

  /** As `call` ends, unless it is aborted before; then rejects with the reason, whatever the call still does. */
  cut<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#reason) return reject(this.#reason);
      this.#onAbort = reject;
      call().then(resolve, reject);
    });
  }
}
