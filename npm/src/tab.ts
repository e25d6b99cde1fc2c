// One tab's part in a store that several tabs have open.
//
// Web Locks say whose turn it is: the worker that holds the lock owns the engine, all others wait for it and reach the owner
// over a channel of their own. When the owner goes, however it goes, the lock falls to the next one, which opens the store and
// calls out; everybody then asks it again what was not answered. Asking again is safe: a blob is put under the hash of its
// bytes, roots move by compare-and-swap, and a change of the document has a number of its own by which the log tells whether it was made.

import { type Handler, type Message, Callee, Caller, type Running } from "./calls.js";
import { LittoralError, type WireError, toWire, wrap } from "./errors.js";
import { Host, type News, type WasmSource, load } from "./host.js";
import type { EngineOptions, StorageMode } from "./options.js";
import { openPlace } from "./place.js";

/** What a page tells its worker. */
export interface FromPage extends Message {
  /** Once, first. */
  open?: EngineOptions & { wasm: WasmSource };
  /** The page is put to sleep: somebody else should own the store. */
  sleep?: boolean;
  /** The page is back. */
  wake?: boolean;
}

/** What a worker tells its page. */
export interface ToPage extends Message {
  /** The worker runs. */
  ready?: boolean;
  /** Nothing will be answered any more. */
  ended?: WireError;
}

/** What goes over the hall, which all tabs of a store hear. */
interface HallMessage {
  /** A tab that looks for the owner. */
  who?: string;
  /** The new owner calls out. */
  owner?: string;
  /** The next owner, which is still opening the store. */
  opening?: string;
}

/** While something is asked of the owner it is called this often, in milliseconds, */
const BEAT = 3000;
/** and after so many calls without a sign of life it is given up. A worker in the background is not slowed down; one that is busy answers late. */
const BEATS = 5;

/** What goes over the channel between the owner and one other tab. */
interface ChannelMessage extends Message {
  /** The owner's way that it is for; another one leaves it alone. */
  to?: string;
  /** The owner's way that it is from. */
  from?: string;
  welcome?: StorageMode;
}

/** The owner's way to another tab. What went over an earlier one may be lost: a tab that meets a new one asks again. */
interface Way {
  id: string;
  channel: BroadcastChannel;
  callee: Callee;
}

type Post = (message: ToPage, transfer: Transferable[]) => void;

export class Tab {
  readonly #id = Math.random().toString(36).slice(2) + Date.now().toString(36);
  #post: Post;
  #exit: () => void;
  #page: Callee;
  /** The way to whoever owns the store. */
  #owner = new Caller(undefined, (waiting) => this.#attend(waiting));
  /** Calls to the owner since it was last heard. */
  #silence = 0;
  #beating: ReturnType<typeof setInterval> | undefined;
  /** This tab has the lock, and the store is not open yet. */
  #opening: Promise<void> | undefined;
  #options: (EngineOptions & { wasm: WasmSource }) | undefined;
  #host: Host | undefined;
  #release: (() => void) | undefined;
  #gone: (() => void) | undefined;
  #waiting: AbortController | undefined;
  #hall: BroadcastChannel | undefined;
  #channel: BroadcastChannel | undefined;
  #ways = new Map<string, Way>();
  #made = 0;
  /** The way over which the owner is asked. */
  #way: string | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;
  #mode = promise<StorageMode>();
  #asleep = false;
  /** The store is being given away. */
  #leaving = false;
  #closing = false;
  #ended = false;

  constructor(post: Post, exit: () => void) {
    this.#post = post;
    this.#exit = exit;
    this.#page = new Callee(
      (message, transfer) => post(message, transfer),
      (method, args, running) => this.#route(method, args, running),
      true,
      () => this.#host?.news(),
    );
  }

  receive(message: FromPage): void {
    if (message.open) this.#open(message.open);
    if (message.sleep) void this.#sleep();
    if (message.wake) this.#wake();
    if (message.calls || message.cancelled) this.#page.receive(message);
  }

  /** The engine met a mistake of its own: nothing goes on here. */
  broke(thrown: unknown): void {
    if (this.#host) this.#host.poison(thrown);
    else this.#end(wrap(thrown));
  }

  #end(error: LittoralError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing = true;
    for (const { callee } of this.#ways.values()) callee.fail(error);
    this.#page.fail(error);
    this.#owner.end(error);
    this.#post({ ended: toWire(error) }, []);
    this.#leave();
    this.#exit();
  }

  #route(method: string, args: any[], running: Running): unknown {
    if (method === "open") return this.#mode.promise;
    if (method === "close") return this.#close(args[0]);
    const host = this.#host;
    if (!host) return this.#owner.call(method, args, { signal: running.cancelled, again: running.again });
    const found = host.call(method, args, running);
    if (!(found instanceof Promise)) return found;
    return found.catch((error) => {
      // The store went to another tab in the middle of it.
      if (this.#host !== host && !this.#closing) return this.#owner.call(method, args, { signal: running.cancelled, again: true });
      throw error;
    });
  }

  #open(options: EngineOptions & { wasm: WasmSource }): void {
    this.#options = options;
    if (options.backend === "memory" || !navigator.locks) {
      void this.#own();
      return;
    }
    this.#join();
  }

  /** Waits for the lock, and works with whoever has it meanwhile. */
  #join(): void {
    if (this.#waiting || this.#host || this.#closing) return;
    const { name } = this.#options!;
    const waiting = new AbortController();
    this.#waiting = waiting;
    navigator.locks
      .request(`littoral:owner:${name}`, { signal: waiting.signal }, async () => {
        if (waiting.signal.aborted) return;
        const released = new Promise<void>((resolve) => (this.#release = resolve));
        await (this.#opening = this.#own());
        await released;
      })
      .catch((error) => {
        if (waiting.signal.aborted) return;
        this.#mode.reject(error);
        this.#end(wrap(error));
      });
    this.#hall = new BroadcastChannel(`littoral:${name}`);
    this.#hall.onmessage = ({ data }) => isObject(data) && this.#hear(data);
    this.#channel = new BroadcastChannel(`littoral:${name}:${this.#id}`);
    this.#channel.onmessage = ({ data }) => isObject(data) && this.#answered(data);
    this.#attend(true);
    // Held for as long as this tab is there, so that the owner learns when it is not; so it comes first.
    const stay = () => {
      this.#look(20);
      return new Promise<void>((resolve) => (this.#gone = resolve));
    };
    void navigator.locks.request(`littoral:tab:${this.#id}`, { signal: waiting.signal }, stay).catch(() => {});
  }

  /** Looks for the owner. Again, because a browser may open two channels in another order than they were made. */
  #look(pause: number): void {
    if (this.#host || !this.#hall) return;
    this.#hall.postMessage({ who: this.#id } satisfies HallMessage);
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => this.#look(Math.min(pause * 2, 1000)), pause);
  }

  #hear({ who, owner, opening }: HallMessage): void {
    if (typeof who === "string") {
      if (this.#host) this.#welcome(who);
      else if (this.#opening) this.#hall?.postMessage({ opening: this.#id } satisfies HallMessage);
    }
    if (opening) this.#silence = 0;
    if (owner) this.#look(20);
  }

  /** While an answer is waited for, whoever owns the store has to give signs of life: a tab that hangs keeps its lock. */
  #attend(waiting: boolean): void {
    clearInterval(this.#beating);
    this.#silence = 0;
    if (!waiting || this.#options?.backend === "memory") return;
    this.#beating = setInterval(() => {
      if (this.#host || this.#opening || this.#leaving || !this.#hall) return;
      this.#hall.postMessage({ who: this.#id } satisfies HallMessage);
      if (++this.#silence <= BEATS) return;
      this.#silence = 0;
      const error = new LittoralError("Timeout", "the tab that has the store open does not answer: close or reload it, or try again later");
      this.#mode.reject(error);
      this.#owner.fail(error);
    }, BEAT);
  }

  /** The owner's word to this tab. */
  #answered({ from, welcome, answers, news }: ChannelMessage): void {
    if (typeof from !== "string" || this.#host) return;
    if (welcome) clearTimeout(this.#looking);
    if (welcome && this.#way !== from) {
      this.#way = from;
      this.#mode.resolve(welcome);
      if (!this.#owner.waits) this.#attend(false);
      // This tab may be the next owner, and be offline by then.
      load(this.#options!.wasm).catch(() => {});
      this.#owner.connect((message) => this.#channel?.postMessage({ ...message, to: from } satisfies ChannelMessage));
    }
    if (from !== this.#way) return;
    this.#silence = 0;
    if (isObject(news)) this.#post({ news }, []);
    if (answers) this.#owner.receive(answers);
  }

  /** Another tab works with this one from now on. */
  #welcome(id: string): void {
    const host = this.#host!;
    const { channel, id: from } = this.#ways.get(id) ?? this.#makeWay(id, host);
    channel.postMessage({ from, welcome: host.mode } satisfies ChannelMessage);
  }

  #makeWay(tab: string, host: Host): Way {
    const id = `${this.#id}:${this.#made++}`;
    const channel = new BroadcastChannel(`littoral:${this.#options!.name}:${tab}`);
    const post = (message: ChannelMessage) => channel.postMessage({ ...message, from: id });
    const callee = new Callee(post, this.#serve(host), false, () => host.news());
    channel.onmessage = ({ data }) => {
      if (isObject(data) && data.to === id) callee.receive(data);
    };
    const way: Way = { id, channel, callee };
    this.#ways.set(tab, way);
    void navigator.locks.request(`littoral:tab:${tab}`, { mode: "shared" }, () => {
      // This tab may have slept meanwhile: that channel is closed.
      if (this.#ways.get(tab) !== way) return;
      // Gone, or asleep: then it asks again over a way of its own.
      callee.stop();
      channel.close();
      this.#ways.delete(tab);
    });
    return way;
  }

  /** Answers from this host, as long as the store is here. */
  #serve(host: Host): Handler {
    return async (method, args, running) => {
      try {
        return await host.call(method, args, running);
      } catch (error) {
        // The next owner is asked again; an answer of this one would be the last word.
        if (!host.broken && (this.#host !== host || this.#closing)) return new Promise(() => {});
        throw error;
      }
    };
  }

  /** Opens the store here. */
  async #own(): Promise<void> {
    const { wasm, ...options } = this.#options!;
    let host: Host;
    try {
      // Beside each other: compiling takes as long as opening.
      const loading = load(wasm);
      loading.catch(() => {});
      const place = await openPlace(options.name, options.backend);
      await loading.catch((error) => {
        place.volume.close();
        throw error;
      });
      host = await Host.open(options, place);
    } catch (error) {
      // Put to sleep meanwhile: it is for the next owner to meet.
      if (this.#leaving) return;
      this.#mode.reject(error);
      this.#end(wrap(error));
      return;
    } finally {
      this.#opening = undefined;
    }
    if (this.#closing || this.#leaving) {
      await host.close().catch(() => {});
      return;
    }
    this.#host = host;
    host.onBroken = (error) => this.#end(error);
    this.#mode.resolve(host.mode);
    this.#attend(false);
    const callee = new Callee(({ answers }) => this.#owner.receive(answers), this.#serve(host), false);
    this.#owner.connect((message) => callee.receive(message));
    this.#hall?.postMessage({ owner: this.#id } satisfies HallMessage);
    void host.watch((news: News) => {
      this.#post({ news }, []);
      for (const { channel, id } of this.#ways.values()) channel.postMessage({ from: id, news } satisfies ChannelMessage);
    });
  }

  async #close(patience: number): Promise<void> {
    this.#closing = true;
    try {
      await this.#host?.close(patience);
    } finally {
      this.#leave();
      const error = new LittoralError("Closed", "the store was closed: open it again");
      this.#owner.end(error);
      // The answer goes first.
      setTimeout(() => this.#exit());
    }
  }

  /** The page is put to sleep: the store goes to another tab. */
  async #sleep(): Promise<void> {
    this.#asleep = true;
    if (this.#options?.backend === "memory" || !this.#waiting || this.#leaving) return;
    this.#leaving = true;
    const host = this.#host;
    this.#host = undefined;
    this.#way = undefined;
    this.#owner.connect(undefined);
    // One that is just being opened is closed by whoever opens it.
    await this.#opening;
    await host?.close().catch(() => {});
    this.#leave();
    this.#leaving = false;
    // The page may have woken up while the store was being closed.
    if (!this.#asleep) this.#join();
  }

  #wake(): void {
    this.#asleep = false;
    if (!this.#leaving) this.#join();
  }

  /** Gives the lock back, and stops waiting for it. */
  #leave(): void {
    for (const { channel } of this.#ways.values()) channel.close();
    this.#ways.clear();
    clearTimeout(this.#looking);
    clearInterval(this.#beating);
    this.#hall?.close();
    this.#channel?.close();
    this.#hall = this.#channel = undefined;
    this.#waiting?.abort();
    this.#waiting = undefined;
    this.#release?.();
    this.#gone?.();
    this.#release = this.#gone = undefined;
  }
}

/** What comes over a channel of this name, any script of this origin may have sent. */
function isObject(data: unknown): data is Record<string, any> {
  return typeof data === "object" && data !== null;
}

/** A promise and what settles it. */
function promise<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  promise.catch(() => {});
  return { promise, resolve, reject };
}
