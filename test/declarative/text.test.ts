import type { Scalar } from "yaml";
import { fieldNode, makeConfiguration } from "../../declarative/model";
import { applyEdits, parseSource, plain, rootOf } from "../../declarative/text";

const DECK = `_format_version: "3.0"
plugins:
- name: x-custom-jwt
  config:
    iss: "\${{ env "DECK_ISS" }}"   # "quotes" \${{ env "DECK_A" }}
    private_jwk: '\${{ env "DECK_KEY" }}'
    subject: \${{ env "DECK_SUBJECT" }}
    active_kid: old
`;

function entryOf(text: string) {
	const file = parseSource(text, "kong.yml");
	expect(file.faults).toEqual([]);
	const [entry] = makeConfiguration([file]).plugins;
	if (!entry) throw new Error("no entry");
	return entry;
}

test.each([
	["iss", "DECK_ISS"],
	["private_jwk", "DECK_KEY"],
	["subject", "DECK_SUBJECT"],
])("decK's variable in %s is read with its quotes", (field, variable) => {
	expect((fieldNode(entryOf(DECK), field) as Scalar).value).toBe(
		`\${{ env "${variable}" }}`,
	);
});

test("an edit leaves decK's variables byte for byte", () => {
	const entry = entryOf(DECK);
	const node = fieldNode(entry, "active_kid") as Scalar;
	expect(applyEdits([{ file: entry.file, node, text: "new" }])).toEqual([
		{ path: "kong.yml", text: DECK.replace("old", '"new"') },
	]);
});

test("a variable whose quotes are escaped, as in JSON, is read as it is", () => {
	const variable = `\${{ env "DECK_ISS" }}`;
	const text = JSON.stringify({
		plugins: [{ name: "x-custom-jwt", config: { iss: variable } }],
	});
	expect((fieldNode(entryOf(text), "iss") as Scalar).value).toBe(variable);
});

describe("Values are read as YAML 1.1, as Kong and decK read them:", () => {
	test.each<[string, unknown]>([
		["yes", true],
		["Yes", true],
		["YES", true],
		["on", true],
		["On", true],
		["true", true],
		["TRUE", true],
		["no", false],
		["NO", false],
		["off", false],
		["OFF", false],
		["False", false],
		["y", "y"],
		["N", "N"],
		["oN", "oN"],
		["'no'", "no"],
		['"on"', "on"],
		["!!str no", "no"],
		["0777", 511],
		["010", 8],
		["08", 8],
		["0o17", "0o17"],
		["0x1F", 31],
		["0b101", 5],
		["1_000", 1000],
		["1:30", 90],
		["2026-11-29", "2026-11-29"],
		["~", null],
		["1e3", 1000],
		["1.5", 1.5],
	])("%s is %j", (text, value) => {
		const file = parseSource(`a: ${text}\n`, "a.yml");
		expect(file.faults).toEqual([]);
		expect(plain(file, rootOf(file), "a")).toEqual(value);
	});

	test("a directive of another version does not change that", () => {
		const file = parseSource("%YAML 1.2\n---\na: no\n", "a.yml");
		expect(plain(file, rootOf(file), "a")).toBe(false);
	});
});

describe("Hostile YAML ends in a fault:", () => {
	const faultsOf = (text: string) => {
		try {
			return parseSource(text, "a.yml").faults.map(({ message }) => message);
		} catch (error) {
			return [(error as Error).message];
		}
	};

	test("aliases that multiply", () => {
		const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
		for (let i = 1; i < 12; i++)
			lines.push(
				`a${i}: &a${i} [${Array(10)
					.fill(`*a${i - 1}`)
					.join(", ")}]`,
			);
		expect(faultsOf(lines.join("\n"))).toEqual([
			expect.stringContaining("aliases multiply"),
		]);
	});

	test("merges of merges", () => {
		const lines = ["a0: &a0 {k0: 0}"];
		for (let i = 1; i < 4000; i++)
			lines.push(`a${i}: &a${i} {<<: *a${i - 1}, k${i}: 0}`);
		expect(faultsOf(lines.join("\n"))).toEqual([
			expect.stringContaining("aliases multiply"),
		]);
	});

	test("an anchor in itself", () => {
		expect(faultsOf("a: &a [*a]\n")).toEqual([
			expect.stringContaining("contains an alias to itself"),
		]);
	});

	test("a key twice among 40,000 others", () => {
		const keys = Array.from({ length: 40_000 }, (_, i) => `k${i}: 0`);
		expect(faultsOf(keys.join("\n"))).toEqual([]);
		expect(faultsOf([...keys, "k7: 1"].join("\n"))).toEqual([
			expect.stringContaining("duplicate key"),
		]);
	});

	test("lists in lists", () => {
		expect(faultsOf(`a: ${"[".repeat(30_000)}`).length).toBeGreaterThan(0);
	});
});

test("4,000 aliases of one anchor are read", () => {
	const items = Array(4000).fill("*a").join(", ");
	const file = parseSource(`a: &a {b: no}\nc: [${items}]\n`, "a.yml");
	expect(file.faults).toEqual([]);
	expect(plain(file, rootOf(file), "c")).toHaveLength(4000);
});
