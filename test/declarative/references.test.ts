// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables that other tools fill in
import { leftOverIn, resolve } from "../../declarative/references";

describe("a variable that was not filled in is found:", () => {
	test.each([
		["https://${HOST}/jwks", "${HOST}"],
		["${HOST:-example.com}", "${HOST}"],
		["$PRIVATE_JWK", "$PRIVATE_JWK"],
		["{{ .Values.issuer }}", "{{ … }}"],
	])("%s", (text, variable) => {
		expect(leftOverIn(text)).toBe(variable);
	});
});

test.each([
	"$(consumer.username)",
	'${{ env "DECK_HOST" }}',
	"{vault://env/key}",
	"~/a$",
	"~/a{2}$",
	"$100",
	"costs $5 or ${ 1 }",
	'{"kty":"EC"}',
])("%s has no such variable", (text) => {
	expect(leftOverIn(text)).toBeUndefined();
});

describe("a reference is resolved as Kong does it:", () => {
	const environment = {
		A_KEY: "a",
		SECURE_A_KEY: "secure",
		JSON: '{"b":"c","n":1}',
		DECK_A: "deck",
	};
	const vaults = new Map([["mine", "SECURE_"]]);

	test.each<[string, object | undefined]>([
		["{vault://env/a-key}", { value: "a" }],
		["{vault://env/A_KEY}", { value: "a" }],
		["{vault://env/a-key/}", { value: "a" }],
		["{vault://env/a-key?prefix=secure_}", { value: "secure" }],
		["{vault://mine/a-key}", { value: "secure" }],
		["{vault://env/json/b}", { value: "c" }],
		[
			"{vault://env/json/n}",
			{ variable: "JSON", message: 'is not JSON with a string "n"' },
		],
		[
			"{vault://env/a-key/b}",
			{ variable: "A_KEY", message: 'is not JSON with a string "b"' },
		],
		["{vault://env/none}", { variable: "NONE", message: "is not set" }],
		["{vault://aws/a-key}", undefined],
		['${{ env "DECK_A" }}', { value: "deck" }],
		['a ${{ env "DECK_A" }}', { value: "a deck" }],
		['${{ env "DECK_B" }}', { variable: "DECK_B", message: "is not set" }],
		['${{ env "DECK_A" | toString }}', undefined],
		["{vault://}", undefined],
		["plain", undefined],
	])("%s", (reference, resolved) => {
		expect(resolve(reference, environment, vaults)).toEqual(resolved);
	});
});
