/** Characters that cannot be seen, or that change the order of the text around them: a terminal would act on them. */
const UNPRINTABLE =
	/[^\P{C}\t\n]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Text of others as it may go to a terminal or to CI: characters that these would act on, or hide, are escaped as in
 * JSON. JSON stays JSON.
 */
export function printable(text: string): string {
	return text.replaceAll(UNPRINTABLE, escaped);
}

/** The same for text that must stay on its line, so that it cannot forge another one. */
export function printableLine(text: string): string {
	return printable(text).replaceAll(/[\t\n]/g, escaped);
}

/** A value of others in a sentence, as JSON. */
export function quoted(value: unknown): string {
	return printable(JSON.stringify(value) ?? "nothing");
}

function escaped(character: string): string {
	return character
		.split("")
		.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
		.join("");
}
