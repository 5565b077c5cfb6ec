/** The YAML language server of editors, over standard input and output (Language Server Protocol). */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { packageRoot } from "../../schema/package-root";

const SERVER = join(
	packageRoot(),
	"node_modules/yaml-language-server/bin/yaml-language-server",
);

/** What the server says about a document. */
export interface Diagnostic {
	message: string;
	range: { start: { line: number; character: number } };
}

interface Message {
	id?: number;
	method?: string;
	params?: { uri: string; diagnostics: Diagnostic[]; items?: unknown[] };
	result?: unknown;
}

/** A running language server. */
export class LanguageServer {
	readonly #process: ChildProcess;
	readonly #messages = new EventEmitter();
	#received = Buffer.alloc(0);
	#lastId = 0;

	constructor() {
		this.#process = spawn(process.execPath, [SERVER, "--stdio"], {
			stdio: ["pipe", "pipe", "inherit"],
		});
		this.#process.stdout?.on("data", (chunk: Buffer) => this.#receive(chunk));
	}

	/** Begins the conversation. */
	async start(): Promise<void> {
		await this.request("initialize", {
			processId: process.pid,
			rootUri: null,
			capabilities: {
				textDocument: {
					publishDiagnostics: {},
					hover: { contentFormat: ["markdown"] },
					completion: {},
				},
			},
		});
		this.#send({ method: "initialized", params: {} });
	}

	/** Opens a document and returns what the server finds in it. */
	async open(uri: string, text: string): Promise<Diagnostic[]> {
		const found = once(this.#messages, `diagnostics ${uri}`);
		this.#send({
			method: "textDocument/didOpen",
			params: {
				textDocument: { uri, languageId: "yaml", version: 1, text },
			},
		});
		const [diagnostics] = await found;
		return diagnostics;
	}

	/** Asks, and returns the answer. */
	async request(method: string, params: object): Promise<unknown> {
		const id = ++this.#lastId;
		const answer = once(this.#messages, `answer ${id}`);
		this.#send({ id, method, params });
		const [result] = await answer;
		return result;
	}

	async stop(): Promise<void> {
		const exit = once(this.#process, "exit");
		this.#process.kill();
		await exit;
	}

	#send(message: object): void {
		const body = JSON.stringify({ jsonrpc: "2.0", ...message });
		this.#process.stdin?.write(
			`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
		);
	}

	#receive(chunk: Buffer): void {
		this.#received = Buffer.concat([this.#received, chunk]);
		for (;;) {
			const end = this.#received.indexOf("\r\n\r\n");
			if (end < 0) return;
			const head = this.#received.subarray(0, end).toString();
			const length = Number(/Content-Length: (\d+)/i.exec(head)?.[1]);
			const body = this.#received.subarray(end + 4, end + 4 + length);
			if (body.length < length) return;
			this.#received = this.#received.subarray(end + 4 + length);
			this.#handle(JSON.parse(body.toString()));
		}
	}

	#handle({ id, method, params, result }: Message): void {
		if (method === "textDocument/publishDiagnostics")
			this.#messages.emit(`diagnostics ${params?.uri}`, params?.diagnostics);
		else if (method === undefined) this.#messages.emit(`answer ${id}`, result);
		// The server asks for settings, of which there are none, and to register what it offers.
		else if (id !== undefined)
			this.#send({ id, result: params?.items?.map(() => null) ?? null });
	}
}
