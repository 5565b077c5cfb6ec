// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of decK
/** What editors show of the plugin's configuration, by the language server that they use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Ajv from "ajv";
import { parse } from "yaml";
import { starter } from "../../cli/starter";
import { testKey } from "../../local/demo/flows";
import { files } from "../../package.json";
import { EDITOR_SCHEMA, EDITOR_SCHEMA_URL } from "../../schema/editor";
import { properties } from "../../schema/kong";
import { packageRoot } from "../../schema/package-root";
import { LanguageServer } from "../support/language-server";

const PATH = join(packageRoot(), EDITOR_SCHEMA);
const server = new LanguageServer();
beforeAll(() => server.start());
afterAll(() => server.stop());

const { text: STARTER } = starter(
	{
		service: "orders",
		url: "http://orders",
		gateway: "https://api.example.com",
		discovery: true,
	},
	JSON.parse(testKey("ES256-jwk-public.json")),
);

/** The text with the schema of this clone in place of the published one. */
const local = (text: string) =>
	text.replace(EDITOR_SCHEMA_URL, pathToFileURL(PATH).href);

let opened = 0;

/** Opens a text, and returns its address and each finding with its line, from 1. */
async function open(text: string) {
	const uri = `file:///${++opened}.yml`;
	const found = await server.open(uri, local(text));
	return {
		uri,
		found: found.map(
			({ message, range }) => `${range.start.line + 1}: ${message}`,
		),
	};
}

const LINE = `# yaml-language-server: $schema=${EDITOR_SCHEMA_URL}\n`;

test("the schema is in the package, where the line of the starter has it", () => {
	expect(files).toContain(EDITOR_SCHEMA);
	expect(EDITOR_SCHEMA_URL.endsWith(`/${EDITOR_SCHEMA}`)).toBe(true);
	expect(STARTER.startsWith(LINE)).toBe(true);
	const page = readFileSync(join(packageRoot(), "docs/cli.md"), "utf8");
	expect(page).toContain(LINE);
});

test("the starter and the examples have no findings", async () => {
	expect((await open(STARTER)).found).toEqual([]);
	for (const name of ["kong.yml", "kong-enterprise.yml", "deck/guard.yml"]) {
		const text = readFileSync(join(packageRoot(), name), "utf8");
		expect((await open(LINE + text)).found).toEqual([]);
	}
});

/** A file with an entry of these fields on a Service. */
const withFields = (fields: object) =>
	`${LINE}services:
  - name: a
    plugins:
      - name: x-custom-jwt
        config: ${JSON.stringify(fields)}
`;
const key = { private_jwk: "{vault://env/key}" };

test.each<[string, object, string]>([
	[
		"a field that is misspelt",
		{ ...key, auth_methodz: ["key"] },
		"auth_methodz",
	],
	["a value of another type", { ...key, verbose: "maybe" }, "boolean"],
	["a value that is not a choice", { ...key, auth_methods: ["ldap"] }, "basic"],
	[
		"a pattern, in words",
		{ ...key, apikey_header: "a b" },
		"a header name of letters",
	],
	["a claim that is a number", { ...key, set_claims: { a: 1 } }, "string"],
	["the key that is missing", {}, "private_jwk"],
])("%s is found", async (_, fields, said) => {
	const { found } = await open(withFields(fields));
	expect(found).toEqual([expect.stringContaining(said)]);
	expect(found[0]).toMatch(/^6: /);
});

test.each<[string, object]>([
	["what decK fills in", { ...key, verbose: '${{ env "DECK_V" }}' }],
	["null for the default", { ...key, verbose: null, unauthenticated: null }],
])("%s is accepted", async (_, fields) => {
	expect((await open(withFields(fields))).found).toEqual([]);
});

test("fields of other plugins are not looked at", async () => {
	const text = `${LINE}plugins:\n  - { name: cors, config: { a: 1 } }\n`;
	expect((await open(text)).found).toEqual([]);
});

test("a field has its description and example, and all fields are offered", async () => {
	const text = `${LINE}plugins:
  - name: x-custom-jwt
    config:
      private_jwk: "{}"
      jku: ""
      
`;
	const { uri } = await open(text);
	const at = (line: number, character: number) => ({
		textDocument: { uri },
		position: { line, character },
	});
	const hover = await server.request("textDocument/hover", at(5, 7));
	expect(JSON.stringify(hover)).toContain("URL of the JWK Set");
	expect(JSON.stringify(hover)).toContain("docs/configuration.md#the-token");
	const offered = JSON.stringify(
		await server.request("textDocument/completion", at(6, 6)),
	);
	for (const [name] of properties)
		if (!["private_jwk", "jku"].includes(name))
			expect(offered).toContain(`"${name}"`);
});

test("ajv accepts and rejects the same", () => {
	const schema = JSON.parse(readFileSync(PATH, "utf8"));
	const validate = new Ajv({ strict: false }).compile(schema);
	expect(validate(parse(STARTER))).toBe(true);
	for (const [name, { examples }] of properties)
		expect(validate(parse(withFields({ ...key, [name]: examples[0] })))).toBe(
			true,
		);
	expect(validate(parse(withFields({ ...key, expires_in: 0 })))).toBe(false);
});
