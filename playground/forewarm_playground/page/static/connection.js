// The client interface of the local Slack: one WebSocket for what a person sees and does.

export class Connection {
  constructor(user, onFrame, onState) {
    this.user = user;
    this.onFrame = onFrame;
    this.onState = onState;
    this.count = 0;
    this.waiting = new Map();
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/_client/${this.user}/live`);
    this.socket.onopen = () => this.onState("");
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = () => {
      this.onState("The local Slack is not reachable; trying again…");
      for (const { reject } of this.waiting.values()) reject(new Error("the connection was lost"));
      this.waiting.clear();
      setTimeout(() => this.open(), 1000);
    };
  }

  take(frame) {
    if (frame.type !== "done" && frame.type !== "refused") {
      this.onFrame(frame);
      return;
    }
    const { resolve, reject } = this.waiting.get(frame.id) ?? {};
    this.waiting.delete(frame.id);
    if (frame.type === "done") resolve?.(frame.result);
    else reject?.(new Error(frame.error));
  }

  // Resolves with the result of an act; rejects with Slack's own word.
  act(verb, members = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new Error("the local Slack is not reachable"));
    }
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, do: verb, ...members }));
    });
  }

  async messages(channel, thread) {
    const query = new URLSearchParams({ channel, ...(thread ? { thread_ts: thread } : {}) });
    const response = await fetch(`/_client/${this.user}/messages?${query}`);
    if (!response.ok) throw new Error(`the messages could not be read (${response.status})`);
    return (await response.json()).messages;
  }
}
