// Calls over anything that takes messages: those of one tick travel as one message, and so do their answers.

import { type WireError, LittoralError, fromWire, toWire } from "./errors.js";

/** One call: number, method, arguments, and whether somebody else was asked before, of whom nobody knows how far he came. */
export type Call = [id: number, method: string, args: unknown[], again?: boolean];

/** One answer: number, value or error. */
export type Answer = [id: number, value: unknown, error?: WireError];

/** What travels. */
export interface Message {
  calls?: Call[];
  /** Nobody waits for these any more. */
  cancelled?: number[];
  answers?: Answer[];
  /** News that nobody asked for. */
  news?: unknown;
}

/** A way to the other side. */
export type Send = (message: Message, transfer: Transferable[]) => void;

interface Waiting {
  call: Call;
  resolve: (value: any) => void;
  reject: (error: unknown) => void;
}

/** The side that calls. */
export class Caller {
  #send: Send | undefined;
  #next = 1;
  #waiting = new Map<number, Waiting>();
  #calls: Call[] = [];
  #cancelled: number[] = [];
  #transfer: Transferable[] = [];
  #scheduled = false;
  #ended: LittoralError | undefined;
  #busy: (waiting: boolean) => void;

  /** `busy` is told when somebody begins to wait, and when nobody does any more. */
  constructor(send?: Send, busy: (waiting: boolean) => void = () => {}) {
    this.#send = send;
    this.#busy = busy;
  }

  /** Calls `method` on the other side. An abort ends the waiting; the call itself may have happened. */
  call<T>(method: string, args: unknown[], options: { signal?: AbortSignal | undefined; transfer?: Transferable[]; again?: boolean } = {}): Promise<T> {
    const { signal, transfer, again = false } = options;
    if (this.#ended) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++;
      const call: Call = [id, method, args, again];
      const waiting: Waiting = { call, resolve, reject };
      if (signal) {
        const abort = () => {
          if (!this.#waiting.delete(id)) return;
          this.#cancelled.push(id);
          this.#schedule();
          reject(signal.reason);
          this.#rest();
        };
        signal.addEventListener("abort", abort, { once: true });
        const done = () => signal.removeEventListener("abort", abort);
        waiting.resolve = (value) => (done(), resolve(value));
        waiting.reject = (error) => (done(), reject(error));
      }
      this.#waiting.set(id, waiting);
      if (this.#waiting.size === 1) this.#busy(true);
      this.#calls.push(call);
      if (transfer) this.#transfer.push(...transfer);
      this.#schedule();
    });
  }

  /** Somebody waits for an answer. */
  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  /** Takes answers; what is none is left alone. */
  receive(answers: unknown): void {
    for (const answer of lists(answers)) {
      const [id, value, error] = answer as Answer;
      const waiting = this.#waiting.get(id);
      if (!waiting) continue;
      this.#waiting.delete(id);
      if (error) waiting.reject(fromWire(error));
      else waiting.resolve(value);
    }
    this.#rest();
  }

  /** Another side from now on: it is asked everything that was not answered yet. */
  connect(send: Send | undefined): void {
    this.#send = send;
    this.#calls = [...this.#waiting.values()].map(({ call }) => call);
    for (const call of this.#calls) call[3] = true;
    this.#transfer = [];
    this.#cancelled = [];
    if (this.#calls.length > 0) this.#schedule();
  }

  /** Nothing will be answered any more. */
  end(error: LittoralError): void {
    this.#ended ??= error;
    this.fail(error);
  }

  /** What was asked so far will not be answered. */
  fail(error: LittoralError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#calls = [];
    this.#transfer = [];
    for (const { reject } of waiting) reject(error);
    this.#rest();
  }

  #rest(): void {
    if (!this.waits) this.#busy(false);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (!this.#send || (this.#calls.length === 0 && this.#cancelled.length === 0)) return;
    const message: Message = {};
    if (this.#calls.length > 0) message.calls = this.#calls;
    if (this.#cancelled.length > 0) message.cancelled = this.#cancelled;
    const transfer = this.#transfer;
    this.#calls = [];
    this.#cancelled = [];
    this.#transfer = [];
    this.#send(message, transfer);
  }
}

/** What `work` comes to, or the signal's reason: an abort ends the waiting. */
export function abortable<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  if (signal.aborted) {
    // Nobody hears how it ends.
    work.catch(() => {});
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The lists in what should be a list of them: what comes from another tab, any script of this origin may have sent. */
function lists(found: unknown): unknown[][] {
  return Array.isArray(found) ? found.filter((item) => Array.isArray(item)) : [];
}

/** What answers calls: with a value, or a promise of one. */
export type Handler = (method: string, args: any[], running: Running) => unknown;

/** A call that is being answered. */
export class Running {
  #controller: AbortController | undefined;
  #aborted = false;
  /** Somebody else was asked before, and nobody knows how far he came. */
  readonly again: boolean;

  constructor(again: boolean) {
    this.again = again;
  }

  /** Aborted when nobody waits any more. Made for those who ask for it: that costs more than a small call. */
  get cancelled(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

/** The side that is called. */
export class Callee {
  #send: Send;
  #handler: Handler;
  #answers: Answer[] = [];
  #transfer: Transferable[] = [];
  #scheduled = false;
  #running = new Map<number, Running>();
  #transfers: boolean;
  #news: () => unknown;

  /** `transfers`: whether the way to the other side takes bytes over instead of copying them. `news` goes with answers. */
  constructor(send: Send, handler: Handler, transfers: boolean, news: () => unknown = () => undefined) {
    this.#news = news;
    this.#send = send;
    this.#handler = handler;
    this.#transfers = transfers;
  }

  /** Takes calls; what is none is left alone. */
  receive({ calls, cancelled }: Message): void {
    for (const call of lists(calls)) if (Array.isArray(call[2])) this.#run(call as Call);
    // Also those that came in the same message.
    if (Array.isArray(cancelled)) for (const id of cancelled) this.#running.get(id)?.abort();
  }

  /** Everything that is running is answered with this error. */
  fail(error: unknown): void {
    for (const id of this.#running.keys()) this.#answer([id, undefined, toWire(error)]);
    this.#flush();
    this.stop();
  }

  /** Nobody waits for what is running. */
  stop(): void {
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
  }

  #run([id, method, args, again]: Call): void {
    const running = new Running(again === true);
    let value: unknown;
    try {
      value = this.#handler(method, args, running);
    } catch (error) {
      return this.#answer([id, undefined, toWire(error)]);
    }
    // What is there at once needs no turn of promises, which would cost more than reading a small blob.
    if (!(value instanceof Promise)) return this.#answer([id, value]);
    this.#running.set(id, running);
    // If it is not there any more, it was answered already.
    const answer = (answer: Answer) => this.#running.delete(id) && this.#answer(answer);
    value.then((value) => answer([id, value]), (error) => answer([id, undefined, toWire(error)]));
  }

  #answer(answer: Answer): void {
    this.#answers.push(answer);
    const value = answer[1];
    if (this.#transfers && value instanceof Uint8Array) this.#transfer.push(value.buffer);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#answers.length === 0) return;
    const answers = this.#answers;
    const transfer = this.#transfer;
    this.#answers = [];
    this.#transfer = [];
    const news = this.#news();
    this.#send(news === undefined ? { answers } : { answers, news }, transfer);
  }
}
