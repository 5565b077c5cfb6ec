/** decK's variables in a file, as far as the environment has them. */

const VARIABLE = /\$\{\{\s*env\s+"(DECK_\w+)"\s*\}\}/g;

/**
 * Fills in the variables that are set, as decK does before it reads a file.
 *
 * @param missing is given the name of each variable that is not set, and stays in the text
 */
export function filledIn(
	text: string,
	missing: (name: string) => void,
): string {
	return text.replaceAll(VARIABLE, (variable, name: string, offset: number) => {
		const value = process.env[name];
		if (value === undefined) {
			missing(name);
			return variable;
		}
		const quote = text.charAt(offset - 1);
		if (quote === '"') return JSON.stringify(value).slice(1, -1);
		return quote === "'" ? value.replaceAll("'", "''") : value;
	});
}
