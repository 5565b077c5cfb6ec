import type { Scalar } from "yaml";
import { fieldNode, makeConfiguration } from "../../declarative/model";
import { applyEdits, parseSource } from "../../declarative/text";

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
