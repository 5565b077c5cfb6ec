/**
 * What the plugin asks about a request and what it decides: all that passes between its core, which knows
 * no protocol, and the plugin server, which knows no claims.
 */

/** One thing to know about a request, one PDK call each. */
export type Question =
	/** The credential entity, whole, and the consumer, service and route entities. */
	| { about: "credential" | "consumer" | "service" | "route" }
	/** By `X-Forwarded-…` where Kong trusts the proxy in front of it. */
	| {
			about:
				| "forwarded_ip"
				| "forwarded_scheme"
				| "forwarded_host"
				| "forwarded_port";
	  }
	/** The path is as the client sent it, percent-encoded, without query and fragment. */
	| { about: "method" | "path" }
	/** The certificate the client sent, PEM, whether or not it verified. */
	| { about: "certificate" }
	/** A request header, the first of that name; a query argument, `true` when it has no value. */
	| { about: "header" | "query"; name: string }
	/** nginx's variable; a member of `ngx.ctx`; a member of `kong.ctx.shared`. */
	| { about: "variable" | "ctx" | "shared"; name: string }
	/** SHA-256 of the body's bytes as Kong received them; see `BodyDigest`. */
	| { about: "body_digest"; maxBytes: number };

/** Answer to the question `body_digest`: the hash in base64, or that the body is larger than allowed. */
export type BodyDigest = { sha256: string } | { tooLarge: true };

/**
 * Asks Kong.
 *
 * @returns the answers in the order of the questions, `undefined` where Kong has none. Bytes that are no
 * UTF-8 are U+FFFD in them. An answer may be an `EncodedAnswer`.
 */
export type Ask = (questions: readonly Question[]) => Promise<unknown[]>;

/** An answer as it came, which is read when it is needed first. */
export class EncodedAnswer {
	#isRead = false;
	#value: unknown;

	/** @param read makes the answer of the bytes; may throw */
	constructor(
		readonly bytes: Uint8Array,
		readonly read: () => unknown,
	) {}

	get value(): unknown {
		if (!this.#isRead) this.#value = this.read();
		this.#isRead = true;
		return this.#value;
	}
}

/** A credential entity, whole, of whichever security plugin authenticated; see identity.ts. */
export type Credential = Record<string, unknown>;

/** Kong's consumer entity. It has a `username`, a `custom_id` or both. */
export interface Consumer {
	id: string;
	username?: string | null;
	custom_id?: string | null;
	tags?: string[] | null;
}

/** Kong's route entity. */
export interface Route {
	id: string;
	name?: string | null;
}

/** Kong's service entity: where the request goes. */
export interface Service {
	id: string;
	name?: string | null;
	protocol: string;
	host: string;
	port: number;
	path?: string | null;
}

/** Types of the answers. */
interface Answers {
	credential: Credential;
	consumer: Consumer;
	service: Service;
	route: Route;
	forwarded_ip: string;
	forwarded_scheme: string;
	forwarded_host: string;
	forwarded_port: number;
	method: string;
	path: string;
	certificate: string;
	header: string;
	query: string | true;
	variable: string;
	ctx: unknown;
	shared: unknown;
	body_digest: BodyDigest;
}

/** What is known of one request. */
export class Facts {
	readonly #answers = new Map<string, unknown>();

	constructor(private readonly ask: Ask) {}

	/** Asks what has not been asked yet, each once and all at once. */
	async learn(questions: readonly Question[]): Promise<void> {
		const open = new Map<string, Question>();
		for (const question of questions)
			if (!this.#answers.has(id(question))) open.set(id(question), question);
		if (open.size === 0) return;
		const answers = await this.ask([...open.values()]);
		for (const [index, key] of [...open.keys()].entries())
			this.#answers.set(key, answers[index] ?? undefined);
	}

	/**
	 * The answer to a question; undefined when Kong had none.
	 *
	 * @param name of the header, query argument, variable or member
	 * @throws {Error} when it was not asked
	 */
	get<About extends Question["about"]>(
		about: About,
		name?: string,
	): Answers[About] | undefined {
		const key = id({ about, name });
		const answer = this.#answers.get(key);
		if (answer === undefined && !this.#answers.has(key))
			throw new Error(`never asked for ${key}`);
		return (answer instanceof EncodedAnswer ? answer.value : answer) as
			| Answers[About]
			| undefined;
	}

	/** What tells an answer from any other, without reading it; undefined when Kong had none. */
	fingerprint(about: Question["about"]): string | Uint8Array | undefined {
		const answer = this.#answers.get(about);
		return answer instanceof EncodedAnswer
			? answer.bytes
			: JSON.stringify(answer);
	}
}

function id(question: { about: string; name?: string }): string {
	return question.name === undefined
		? question.about
		: `${question.about} ${question.name}`;
}

/** What becomes of a request. Adapters carry it out in the order of the members. */
export interface Decision {
	/** Lines for Kong's error log. */
	log: { level: "info" | "warn" | "err"; message: string }[];
	/** Values for the entries of Kong's log plugins (`kong.log.set_serialize_value`). */
	logValues: [name: string, value: string | Record<string, unknown>][];
	/** Ends the request; it then goes nowhere, and the members below are empty. */
	exit?: {
		status: number;
		headers?: Record<string, string>;
		body: Record<string, unknown>;
	};
	/** Headers that the request loses before it goes to the backend. */
	clearedHeaders: string[];
	/** Headers that the backend gets, in place of the client's own. */
	upstreamHeaders: [name: string, value: string][];
	/** Headers that the client gets. */
	downstreamHeaders: [name: string, value: string][];
}
