import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Encoder } from "@msgpack/msgpack";
import { stepMethod } from "../../local/gateway/pdk";
import { frameReader } from "../../pluginserver/msgpack-frames";

/** A call of the plugin, as the plugin server hands it to Kong. */
export interface PdkCall {
	Method: string;
	Args: unknown[];
}

/** What the plugin server answers about an event. */
export interface Step {
	Data: "ret" | PdkCall;
	EventId: number;
}

/** A call that the plugin server answered with an error; the message is its text. */
export class RpcFailure extends Error {}

/** A call that got no answer, because its connection closed. */
export class ConnectionLost extends Error {}

interface Waiting {
	resolve(result: unknown): void;
	reject(error: Error): void;
}

const encoder = new Encoder();

/** One connection to a plugin server, with any number of calls at a time; made for load. */
export class Client {
	/** Resolves when the connection is closed, by whichever side. */
	readonly closed: Promise<unknown>;
	readonly #waiting = new Map<number, Waiting>();
	#messageId = 0;

	private constructor(readonly socket: Socket) {
		const readFrames = frameReader(64 * 1024 * 1024);
		socket.on("data", (chunk) => {
			for (const frame of readFrames(chunk)) this.#settle(frame as unknown[]);
		});
		// `close` follows.
		socket.on("error", () => {});
		this.closed = new Promise((resolve) => socket.once("close", resolve));
		socket.once("close", () => {
			for (const { reject } of this.#waiting.values())
				reject(new ConnectionLost("the connection closed"));
		});
	}

	/** @param socketPath the plugin server's unix socket */
	static async connect(socketPath: string): Promise<Client> {
		const socket = connect(socketPath);
		await once(socket, "connect");
		return new Client(socket);
	}

	/**
	 * @param argument the one argument of each of Kong's calls
	 * @throws {RpcFailure | ConnectionLost}
	 */
	call(method: string, argument: unknown): Promise<unknown> {
		const id = ++this.#messageId;
		return new Promise((resolve, reject) => {
			if (!this.socket.writable)
				return reject(new ConnectionLost("the connection is closed"));
			this.#waiting.set(id, { resolve, reject });
			this.socket.write(encoder.encode([0, id, method, [argument]]));
		});
	}

	/** Ends the connection without a word. */
	async close(): Promise<void> {
		this.socket.destroy();
		await this.closed;
	}

	/** @throws {RpcFailure} with the plugin's words about an unusable configuration */
	async startInstance(config: Record<string, unknown>): Promise<number> {
		const instance = await this.call("plugin.StartInstance", {
			Name: "x-custom-jwt",
			Config: JSON.stringify(config),
		});
		return (instance as { Id: number }).Id;
	}

	/** Starts an access phase; gives the first thing that the plugin wants of Kong. */
	async handleEvent(InstanceId: number): Promise<Step> {
		const event = { InstanceId, EventName: "access" };
		return (await this.call("plugin.HandleEvent", event)) as Step;
	}

	/** Answers the PDK call of a step as Kong does, with `nil` for what is not in the answers. */
	async step({ Data, EventId }: Step, answers: PdkAnswers): Promise<Step> {
		const { Method: method, Args } = Data as PdkCall;
		const answer = answers[method];
		const result = typeof answer === "function" ? answer(...Args) : answer;
		return (await this.call(stepMethod(method), {
			...(result !== undefined && { Data: result }),
			EventId,
		})) as Step;
	}

	/**
	 * Runs an access phase to its end.
	 *
	 * @returns the plugin's calls; an exit is the last one
	 */
	async runPhase(instanceId: number, answers: PdkAnswers): Promise<PdkCall[]> {
		const calls: PdkCall[] = [];
		let step = await this.handleEvent(instanceId);
		while (step.Data !== "ret") {
			calls.push(step.Data);
			if (step.Data.Method === EXIT) break;
			step = await this.step(step, answers);
		}
		return calls;
	}

	#settle([, id, error, result]: unknown[]): void {
		const waiting = this.#waiting.get(id as number);
		this.#waiting.delete(id as number);
		if (error === null) waiting?.resolve(result);
		else waiting?.reject(new RpcFailure(String(error)));
	}
}

export const EXIT = "kong.response.exit";
export const SET_HEADER = "kong.service.request.set_header";

/** Kong's answers to PDK calls, by method; a function gets the call's arguments. */
export type PdkAnswers = Record<string, unknown>;

/** Kong's answers about a request that nobody authenticated. */
export const nobody: PdkAnswers = {
	"kong.router.get_service": {
		id: "adbd70b3-4224-5183-a52a-179d7b34ab5b",
		protocol: "http",
		host: "backend",
		port: 9000,
	},
};

/** Kong's answers about a request that key-auth authenticated. */
export function clientOf(key: string): PdkAnswers {
	const consumer = { id: "b32379d9-3d28-5683-a79c-72139be6e34f" };
	return {
		...nobody,
		"kong.client.get_credential": { id: "1", key, consumer },
		"kong.client.get_consumer": { ...consumer, username: "alice" },
	};
}

/** The token that the plugin gave to the backend, its signature not looked at. */
export function tokenIn(calls: PdkCall[]): {
	header: Record<string, unknown>;
	claims: Record<string, unknown>;
} {
	const token = String(
		calls.find(({ Method }) => Method === SET_HEADER)?.Args[1],
	);
	const [header = "", claims = ""] = token.split(".");
	return { header: fromBase64url(header), claims: fromBase64url(claims) };
}

function fromBase64url(text: string): Record<string, unknown> {
	return JSON.parse(Buffer.from(text, "base64url").toString());
}
