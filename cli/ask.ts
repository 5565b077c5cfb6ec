/** Asks for what a command needs and was not given, when it runs on a terminal. */
import { BadUse } from "./files";

/** One thing to ask for. */
export interface Question {
	/** The option that answers it, e.g. `--service <name>`. */
	option: string;
	message: string;
	/** What is proposed. */
	initial?: string;
	/** The answers to choose from, with what each is; any text when there are none. */
	choices?: Record<string, string>;
	/** Whether several answers may be chosen. */
	several?: boolean;
	/** What is wrong with an answer. */
	fault?(answer: string): string | undefined;
}

/** Answers a question: one text, or several where several may be chosen. */
export type Ask = (question: Question) => Promise<string[]>;

/**
 * Asks on the terminal, or says which option is missing where there is none.
 *
 * @throws {BadUse} without a terminal, and when the user gives up
 */
export const ask: Ask = async (question) => {
	const { option, message, initial, choices, several, fault } = question;
	if (!process.stdin.isTTY || !process.stdout.isTTY)
		throw new BadUse(`required option '${option}' not specified`);
	// Loaded only when wanted: most runs ask for nothing.
	const prompts = await import("@clack/prompts");
	const options = Object.entries(choices ?? {}).map(([value, hint]) => ({
		value,
		label: value,
		hint,
	}));
	const answer = several
		? await prompts.multiselect({
				message,
				options,
				initialValues: initial === undefined ? [] : [initial],
				required: true,
			})
		: choices
			? await prompts.select({ message, options, initialValue: initial })
			: await prompts.text({
					message,
					...(initial !== undefined && {
						placeholder: initial,
						defaultValue: initial,
					}),
					validate: (text = "") => fault?.(text || (initial ?? "")),
				});
	if (prompts.isCancel(answer))
		throw new BadUse("given up; nothing was written");
	return Array.isArray(answer) ? answer : [answer];
};
