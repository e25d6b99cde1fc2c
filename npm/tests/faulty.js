// What a worker meets when things go wrong that no driver can be asked for: `faults` says what, and when. The package's own
// worker is put behind this.

const faults = new BroadcastChannel("faults");
const done = new BroadcastChannel("faults-done");
let full = false;
let mute = false;

const full_up = () => new DOMException("there is no room", "QuotaExceededError");

const { put } = IDBObjectStore.prototype;
IDBObjectStore.prototype.put = function (...args) {
  if (full) throw full_up();
  return put.apply(this, args);
};

// What is left, as the browser tells it.
let left;
// WebKitGTK does not tell.
if (!navigator.storage) Object.defineProperty(navigator, "storage", { value: {} });
const { estimate } = navigator.storage;
navigator.storage.estimate = async function () {
  return left === undefined ? estimate?.call(this) : { usage: 50 << 20, quota: (50 << 20) + left };
};

if (globalThis.FileSystemSyncAccessHandle) {
  const { truncate } = FileSystemSyncAccessHandle.prototype;
  FileSystemSyncAccessHandle.prototype.truncate = function (len) {
    if (full && len > this.getSize()) throw full_up();
    return truncate.call(this, len);
  };
}

// The process ends after something was done, and before anybody hears of it.
const { postMessage } = BroadcastChannel.prototype;
BroadcastChannel.prototype.postMessage = function (message) {
  if (mute && message?.answers) return close();
  return postMessage.call(this, message);
};

// The connection dies, and only the next transaction tells.
let lost = 0;
const { transaction } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (...args) {
  // One whose name says so opens, and then never answers.
  if (this.name.includes("is mute")) return { objectStore: () => ({ getKey() {} }), commit() {} };
  if (lost > 0 && this.name !== "") {
    lost--;
    this.close();
  }
  return transaction.apply(this, args);
};

const open = IDBFactory.prototype.open;
faults.onmessage = ({ data }) => {
  if ("full" in data) full = data.full;
  if ("left" in data) left = data.left;
  if ("mute" in data) mute = data.mute;
  if ("lost" in data) lost = data.lost;
  postMessage.call(done, "done");
  if (data.stuck) for (const end = Date.now() + data.stuck; Date.now() < end; );
};

// A database whose name says so never answers.
IDBFactory.prototype.open = function (name, ...rest) {
  return name.includes("hangs") ? new EventTarget() : open.call(this, name, ...rest);
};
