/** Characters that cannot be seen, or that turn the order of the text around them: a terminal would act on them. */
const UNPRINTABLE = /[^\P{C}\t\n]|[\p{Zl}\p{Zp}]/gu;

/** Text of others as it may go to a terminal: characters it would act on, or hide, are escaped as in JSON. */
export function printable(text: string): string {
	return text.replaceAll(UNPRINTABLE, (character) =>
		character
			.split("")
			.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
			.join(""),
	);
}

/** A value of others in a sentence, as JSON. */
export function quoted(value: unknown): string {
	return printable(JSON.stringify(value) ?? "nothing");
}
