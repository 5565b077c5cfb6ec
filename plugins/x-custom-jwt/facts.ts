import { hash } from "node:crypto";
import type { Facts, Question } from "../../core/questions";

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

/** What is known of one request, and how to learn more. */
export class AskedFacts implements Facts {
	readonly #answers = new Map<string, unknown>();

	constructor(private readonly ask: Ask) {}

	/** Asks what has not been asked yet, each once and all at once. */
	async learn(questions: readonly Question[]): Promise<void> {
		const open = new Map<string, Question>();
		for (const question of questions)
			if (!this.#answers.has(question.id)) open.set(question.id, question);
		if (open.size === 0) return;
		const answers = await this.ask([...open.values()]);
		for (const [index, id] of [...open.keys()].entries())
			this.#answers.set(id, answers[index] ?? undefined);
	}

	get<Answer>({ id }: Question<Answer>): Answer | undefined {
		const answer = this.#answers.get(id);
		if (answer === undefined && !this.#answers.has(id))
			throw new Error(`never asked for ${id}`);
		return (answer instanceof EncodedAnswer ? answer.value : answer) as
			| Answer
			| undefined;
	}

	mark({ id }: Question): string | undefined {
		const answer = this.#answers.get(id);
		const source =
			answer instanceof EncodedAnswer ? answer.bytes : JSON.stringify(answer);
		return source && hash("sha256", source, "base64url");
	}
}
