import fc from "fast-check";
import {
	parseTemplate as parseTemplateIn,
	parseValue as parseValueIn,
} from "../../core/template";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import { invalid } from "../support/refusals";

const FIELD = "config/set_claims/roles";

const parseTemplate = (text: string) =>
	parseTemplateIn(text, FIELD, nodePlatform);
const parseValue = (text: string) => parseValueIn(text, FIELD, nodePlatform);

const values = new Map<string, unknown>([
	["consumer.username", "alice"],
	["consumer.tags", ["a", "b"]],
	["claims.count", 42],
	["claims.active", false],
	["claims.address", { city: "Paris" }],
	["claims.scp", ["orders:read", 7, { a: 1 }]],
	["claims.scope", " orders:read  orders:write "],
	["claims.https://example.com/roles", ["admin"]],
	["headers.x-empty", ""],
	["headers.x-null", null],
]);

const lookup = (name: string) => values.get(name);
const resolveTemplate = (text: string) => parseTemplate(text).resolve(lookup);
const resolveValue = (text: string) => parseValue(text).resolve(lookup);

describe("a template", () => {
	test.each([
		["$(consumer.username)", "alice"],
		["$(consumer.tags)", ["a", "b"]],
		["$(claims.count)", 42],
		["$(claims.active)", false],
		["$(claims.address)", { city: "Paris" }],
		["$(claims.https://example.com/roles)", ["admin"]],
		["$( consumer.tags )", ["a", "b"]],
	])("that is one variable takes the type of its value: %s", (text, value) => {
		expect(resolveTemplate(text)).toEqual(value);
	});

	test.each([
		["user $(consumer.username)!", "user alice!"],
		["$(consumer.username)$(consumer.username)", "alicealice"],
		["$(consumer.username) ", "alice "],
		["tags=$(consumer.tags)", 'tags=["a","b"]'],
		["$(claims.count)/$(claims.active)", "42/false"],
		["at $(claims.address)", 'at {"city":"Paris"}'],
		["($(consumer.username))", "(alice)"],
		["$$(consumer.username)", "$alice"],
		["[$(headers.x-empty)]", "[]"],
	])(
		"within a longer text writes what is no text as JSON: %s",
		(text, value) => {
			expect(resolveTemplate(text)).toBe(value);
		},
	);

	test.each([
		["$(headers.x-none or 'none')", "none"],
		['$(headers.x-none or "none")', "none"],
		["$(headers.x-none or '')", ""],
		["$( headers.x-none  or  'a (b) \"c\"' )", 'a (b) "c"'],
		[`$(headers.x-none or "it's")`, "it's"],
		["to $(headers.x-none or 'all')", "to all"],
		["$(consumer.username or 'bob')", "alice"],
		["$(claims.active or 'yes')", false],
		["$(headers.x-empty or 'none')", ""],
		["$(headers.x-null or 'none')", "none"],
	])("takes its default only when there is no value: %s", (text, value) => {
		expect(resolveTemplate(text)).toBe(value);
	});

	test.each([
		["$(headers.x-none or [])", []],
		["$(headers.x-none or null)", null],
		["$(headers.x-none or 0)", 0],
		["$(headers.x-none or false )", false],
		['$(headers.x-none or {"a": ["(b)", {}]})', { a: ["(b)", {}] }],
		['$(headers.x-none or ["$(consumer.username)"])', ["alice"]],
		['$(headers.x-none or "a \\"b\\"")', 'a "b"'],
		["$(consumer.tags or [])", ["a", "b"]],
		["$(claims.active or 0)", false],
		["n=$(headers.x-none or 0), $(headers.x-none or [])", "n=0, []"],
	])("takes a default in JSON, with its type: %s", (text, value) => {
		expect(resolveTemplate(text)).toEqual(value);
	});

	test.each([
		["$(headers.x-none or consumer.username)", "alice"],
		["$(headers.a or headers.b or claims.count or 'none')", 42],
		["$(headers.a or claims['https://example.com/roles'])", ["admin"]],
		["by $(headers.a or headers.b or 'nobody')", "by nobody"],
		["$(headers.or or orders.or or 'x')", "x"],
		["$(claims.active or consumer.username)", false],
	])("takes the first variable that has a value: %s", (text, value) => {
		expect(resolveTemplate(text)).toEqual(value);
	});

	test.each([
		["$(consumer.tags | join ' ')", "a b"],
		['$(consumer.tags|join", ")', "a, b"],
		["$(claims.scp | join ' ')", 'orders:read 7 {"a":1}'],
		["$(claims.scope | split ' ')", ["orders:read", "orders:write"]],
		["$(claims.scope | split 'x')", [" orders:read  orders:write "]],
		["$(headers.x-empty | split ' ')", []],
		["$(headers.x-none or [] | join ' ')", ""],
		[
			"$(headers.x-none or claims.scope | split ' ' | join ',' )",
			"orders:read,orders:write",
		],
		["scope=$(consumer.tags | join '+')", "scope=a+b"],
		["$(claims.count | join ' ')", 42],
		["$(consumer.username | join ' ')", "alice"],
		["$(consumer.tags | split ' ')", ["a", "b"]],
		["$(claims.active | split ' ')", false],
		["$(headers.x-none | split ' ')", undefined],
	])("joins a list and splits a text, and nothing else: %s", (text, value) => {
		expect(resolveTemplate(text)).toEqual(value);
	});

	test.each<[string, string[], string[]]>([
		["plain", [], []],
		["$(a)$(consumer.username)", ["a", "consumer.username"], ["a"]],
		["$(a or b)", ["a", "b"], ["a", "b"]],
		["$(a or consumer.username)", ["a", "consumer.username"], []],
		["$(consumer.username or a)", ["consumer.username", "a"], []],
		[
			"$(headers.x-null or a | join ' ')",
			["headers.x-null", "a"],
			["headers.x-null", "a"],
		],
		["$(a or [])", ["a"], []],
		["$(a or 'b')", ["a"], []],
		[
			'$(a or ["$(b)", "$(consumer.username)"])',
			["a", "b", "consumer.username"],
			["a", "b"],
		],
	])(
		"names its variables, and those that it lacks a value of: %s",
		(text, variables, missing) => {
			const template = parseTemplate(text);
			expect(template.variables).toEqual(variables);
			expect(template.missing(lookup)).toEqual(missing);
			expect(template.resolve(lookup) === undefined).toBe(missing.length > 0);
		},
	);

	test.each([
		["$(headers.x-none or 9007199254740993)", "a number beyond 2^53"],
		[
			`$(headers.x-none or ${"[".repeat(40)}${"]".repeat(40)})`,
			"nested deeper than 32",
		],
	])("refuses a default in JSON that no claim may be: %s", (text, message) => {
		expect(() => parseTemplate(text)).toThrow(message);
	});

	test.each([
		["$(claims['full name'])", "claims.full name"],
		['$(claims["full name"].first)', "claims.full name.first"],
		["$(claims.a['b c']['d'] or 'e')", "claims.a.b c.d"],
		["$(claims['(a) or b'])", "claims.(a) or b"],
		["$(headers['X-Tenant'])", "headers.X-Tenant"],
		["$(claims.list[0])", "claims.list[0]"],
	])("may have any name in brackets: %s", (text, name) => {
		expect(parseTemplate(text).variables).toEqual([name]);
	});

	test.each(["", "plain", "$", "$$", "$ (a)", "(a)", "a) or 'b'", "Zoë 客户"])(
		"without variables is itself: %j",
		(text) => {
			expect(parseTemplate(text).variables).toEqual([]);
			expect(resolveTemplate(text)).toBe(text);
		},
	);

	test.each([
		["$(", 1],
		["$()", 1],
		["$( )", 1],
		["$(a", 1],
		["a $(b c)", 3],
		["$(a or)", 1],
		["$(a or b c)", 1],
		["$(a orb)", 1],
		["$(a or 'b' or c)", 1],
		["$(a or [] or c)", 1],
		["$(a | join)", 1],
		["$(a | join b)", 1],
		["$(a | join '')", 1],
		["$(a | upper 'b')", 1],
		["$(a join ' ')", 1],
		["$(a | join ' ' or 'b')", 1],
		["$(a | split ' ' x)", 1],
		["$(a or 'b)", 1],
		["$(a or 'b' or 'c')", 1],
		["$(a or 'b\")", 1],
		["$(a'b')", 1],
		["$(a or 'it's')", 1],
		["$($(a))", 1],
		["$(a) and $(", 10],
		["$(a or [1)", 1],
		["$(a or {b: 1})", 1],
		["$(claims['a)", 1],
		["$(claims['a'b])", 1],
	])("is refused, with its field and the place: %s", (text, character) => {
		const expected = `${FIELD}: expected $(name), $(name or other), $(name or 'text'), $(name or JSON), $(name | join 'text') or $(name | split 'text') at character ${character}`;
		expect(() => parseTemplate(text)).toThrow(invalid(expected));
	});

	test.each([
		[`\${consumer.username}`, `\${consumer.username}`, "$(consumer.username)"],
		[`a \${groups} b`, `\${groups}`, "$(groups)"],
		["$consumer.username", "$consumer.username", "$(consumer.username)"],
		["$groups", "$groups", "$(groups)"],
		["user $headers.x-user!", "$headers.x-user", "$(headers.x-user)"],
		[`$(groups) \${groups}`, `\${groups}`, "$(groups)"],
		[`$\${groups}`, `\${groups}`, "$(groups)"],
	])(
		"written as others write it is refused, with the right spelling: %s",
		(text, wrong, right) => {
			const expected = `${FIELD}: ${wrong} is no variable; write ${right}`;
			expect(() => parseTemplate(text)).toThrow(invalid(expected));
			expect(() => parseValue(JSON.stringify([text]))).toThrow(
				invalid(expected),
			);
		},
	);

	test.each([
		"5 $",
		"$5",
		"$5.50",
		"pa$word",
		"US$ 5",
		`\${`,
		`\${}`,
		`\${a b}`,
		"$ {a}",
		"$_a",
		"in $USD.",
	])("may have a $ that begins nothing of the kind: %s", (text) => {
		expect(resolveTemplate(text)).toBe(text);
	});
});

describe("a value", () => {
	test.each([
		["true", true],
		["null", null],
		["5", 5],
		["-5", -5],
		["0", 0],
		[" 5 ", 5],
		["[1.5, 1e3]", [1.5, 1000]],
		["9007199254740991", Number.MAX_SAFE_INTEGER],
		['"5"', "5"],
		['"9007199254740993"', "9007199254740993"],
		["[]", []],
		["{}", {}],
		['["a", {"b": [1, null, "c"]}]', ["a", { b: [1, null, "c"] }]],
	])("that is JSON is decoded: %s", (text, value) => {
		expect(resolveValue(text)).toEqual(value);
	});

	test.each([
		...["production", "01", "'a'", "{a: 1}", "[", "1,5", "True", ""],
		// These look like numbers, and would lose a digit.
		...["1.10", "1.0", "1.5", "-1.5", "1e3", "1E3", "-0", "+1", "0049"],
		...[
			"9007199254740992",
			"-9007199254740993",
			"1e999",
			"12345678901234567890",
		],
	])("that is not JSON, or no integer, is a text: %j", (text) => {
		expect(resolveValue(text)).toBe(text);
	});

	test.each([
		['"$(consumer.tags)"', ["a", "b"]],
		['["staff", "$(consumer.username)"]', ["staff", "alice"]],
		['["staff", "$(consumer.tags)"]', ["staff", ["a", "b"]]],
		[
			'{"user": {"name": "$(consumer.username)", "n": "$(claims.count)"}}',
			{ user: { name: "alice", n: 42 } },
		],
		['{"tenant": "$(headers.x-none or \'none\')"}', { tenant: "none" }],
		['{"$(consumer.username)": 1}', { "$(consumer.username)": 1 }],
	])("may have templates as texts, at any depth: %s", (text, value) => {
		expect(resolveValue(text)).toEqual(value);
	});

	test("has none when a template at any depth has none", () => {
		expect(resolveValue('{"a": ["b", "$(headers.x-none)"]}')).toBeUndefined();
	});

	test.each([
		"[9007199254740992]",
		"[-9007199254740993]",
		"[1e999]",
		'{"accounts": [1, 12345678901234567890]}',
	])("with a number beyond 2^53 is refused: %s", (text) => {
		expect(() => parseValue(text)).toThrow(
			invalid(/^config\/set_claims\/roles: a number beyond 2\^53/),
		);
	});

	test("with a template that is none is refused, with its field", () => {
		expect(() => parseValue('["$(a"]')).toThrow(
			/^config\/set_claims\/roles: expected \$\(name\)/,
		);
	});

	test("nested too deep is refused", () => {
		expect(resolveValue(nested(30))).toEqual(JSON.parse(nested(30)));
		expect(() => parseValue(nested(100_000))).toThrow(
			/^config\/set_claims\/roles: nested deeper/,
		);
	});
});

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

const member = fc.oneof(
	fc.constantFrom("__proto__", "constructor", "prototype", "toString", "a"),
	fc.string(),
);

/** JSON texts, members of every name among them. */
const json = fc.letrec<{ json: string }>((tie) => ({
	json: fc.oneof(
		{ maxDepth: 5, depthSize: "small" },
		fc.constantFrom("null", "true", "1", "-0.5", '"$(a)"', "1e999"),
		fc.string().map((text) => JSON.stringify(text)),
		fc.array(tie("json")).map((items) => `[${items}]`),
		fc
			.array(fc.tuple(member, tie("json")))
			.map(
				(members) =>
					`{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`,
			),
	),
})).json;

/** Any text, and texts made of what means something to the parser. */
const anyText = fc.oneof(
	fc.string({ unit: "binary" }),
	fc
		.array(
			fc.constantFrom(
				"$(",
				"$",
				"(",
				")",
				" ",
				" or ",
				"'",
				'"',
				"\\",
				"\n",
				",",
				":",
				"[",
				"]",
				"{",
				"}",
				"1",
				"1e999",
				"null",
				"a",
				"é",
				"\ud800",
				"$(a)",
				"$(a or 'b')",
				"$(a or b.c | join ' ')",
				`\${a}`,
				"|",
				" | split ",
				"claims.__proto__",
				"constructor",
			),
		)
		.map((parts) => parts.join("")),
	json,
	json.map((text) => text.slice(0, -1)),
	fc.integer({ min: 1, max: 100_000 }).map((depth) => "[".repeat(depth)),
	fc.integer({ min: 1, max: 100_000 }).map(nested),
);

describe("whatever is written,", () => {
	const runs = { numRuns: 1000 };

	test("it parses or is refused with its field, and resolving it throws nothing", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(parseTemplate, parseValue),
				anyText,
				fc.option(fc.jsonValue(), { nil: undefined }),
				(parse, text, value) => {
					let template: ReturnType<typeof parse> | undefined;
					try {
						template = parse(text);
					} catch (refusal) {
						expect(refusal).toEqual(invalid(/^config\/set_claims\/roles: /));
					}
					template?.resolve(() => value);
					template?.missing(() => value);
				},
			),
			runs,
		);
	});

	test("a text without $ is itself", () => {
		fc.assert(
			fc.property(anyText, (text) => {
				fc.pre(!text.includes("$"));
				expect(resolveTemplate(text)).toBe(text);
			}),
			runs,
		);
	});

	test("JSON without $ is what JSON.parse makes of it, and no prototype changes", () => {
		const before = Object.getOwnPropertyNames(Object.prototype);
		fc.assert(
			fc.property(json, (text) => {
				fc.pre(!text.includes("$") && !text.includes("1e999"));
				fc.pre(text !== "-0.5");
				expect(JSON.stringify(resolveValue(text))).toBe(
					JSON.stringify(JSON.parse(text)),
				);
			}),
			runs,
		);
		expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
		const resolved = resolveValue('{"__proto__": {"admin": true}}') as object;
		expect(Object.getPrototypeOf(resolved)).toBe(Object.prototype);
		expect(Object.keys(resolved)).toEqual(["__proto__"]);
	});
});
