/** What `config check` shows of a line: names and harmless values, and nothing that may be a secret. */
import { sourceLine } from "../../cli/source-line";
import { parseSource } from "../../declarative/text";

/** The line of a text at the first place of a word, as it is shown, with a caret below. */
function shown(text: string, word: string): string[] {
	const source = sourceLine(parseSource(text, "a.yml"), text.indexOf(word));
	return [source.text, `${" ".repeat(source.column - 1)}^`];
}

test.each([
	[
		"a harmless value",
		"plugins: [{ name: key-auth }]",
		"key-auth",
		"plugins: [{ name: key-auth }]",
		"                  ^",
	],
	[
		"a key on one line",
		"config: { private_jwk: '{\"d\": 1}', verbose: x }",
		"x }",
		"config: { private_jwk: …, verbose: x }",
		"                                   ^",
	],
	[
		"a key in a block",
		"a:\n  private_jwk: |\n    secret\n",
		"|",
		"  private_jwk: …",
		"               ^",
	],
	[
		"a line within a block",
		"a:\n  private_jwk: |\n    secret\n",
		"secret",
		"…",
		"^",
	],
	["a password", "password: secret", "secret", "password: …", "          ^"],
	["a remark", "name: a # secret", "name", "name: a", "^"],
	[
		"a key in a field that is not for keys",
		'iss: \'{"d": "secret"}\'',
		"'{",
		"iss: …",
		"     ^",
	],
	[
		"a URL with a password",
		"iss: https://a:secret@b",
		"https",
		"iss: …",
		"     ^",
	],
	[
		"a claim",
		"set_claims: { tenant: a }",
		"tenant",
		"set_claims: { tenant: a }",
		"              ^",
	],
	["a long name", `? ${"s".repeat(70)}\n: 1`, "s", "? …", "  ^"],
	["a file that cannot be read", "a: [secret", "secret", "…", "^"],
])("%s", (_, text, word, line, caret) => {
	expect(shown(text, word)).toEqual([line, caret]);
});

test("of a long line, the part around the column is shown", () => {
	const text = `paths: [${"/aaaaaaaa, ".repeat(40)}/here, ${"/bbbbbbbb, ".repeat(40)}]`;
	const [line = "", caret = ""] = shown(text, "/here");
	expect(line.length).toBeLessThanOrEqual(120);
	expect(line.slice(caret.length - 1)).toMatch(/^\/here/);
});
