/**
 * What a store is kept in. A method that can answer at once does so and returns nothing; otherwise it returns a promise.
 * Errors carry a `code` (the name of one of the core's kinds) or are `DOMException`s.
 */
export interface VolumeHost {
  /** Length in bytes; 0 for a new one. */
  len(): number;
  /** Longer (new bytes read as zeros) or shorter. */
  setLen(len: number): void | Promise<void>;
  /** Fills `into`, a view that is only valid during the call, or returns a promise of as many bytes. */
  read(offset: number, into: Uint8Array): void | Promise<Uint8Array>;
  /** Takes what is in `bytes`, a view that is only valid during the call. */
  write(offset: number, bytes: Uint8Array): void | Promise<void>;
  /** Before a group of commits is written: done when whoever is reading for one of them has read. */
  gather(): void | Promise<void>;
  /** Done when what was written before survives power loss. */
  sync(): void | Promise<void>;
  /** Drops stored bytes that it keeps in memory: what is read next is what is stored. */
  forget?(): void;
  /** Gives the lock back. More than once does no harm. */
  close(): void;
}

/** What dedicated workers get of a file; the page's own types do not have it. */
export interface SyncAccessHandle {
  getSize(): number;
  truncate(size: number): void;
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}
