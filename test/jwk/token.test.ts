import { decodeToken, tokenIn, withClaims } from "../../jwk/token";

const part = (value: unknown) =>
	Buffer.from(
		typeof value === "string" ? value : JSON.stringify(value),
	).toString("base64url");

const TOKEN = `${part({ alg: "RS256" })}.${part({ client_id: "zoë" })}.c2ln`;

describe("decodeToken", () => {
	test("reads header and claims, in UTF-8, of an unverified token", () => {
		expect(decodeToken(TOKEN)).toMatchObject({
			header: { alg: "RS256" },
			claims: { client_id: "zoë" },
		});
	});

	test.each([
		["let me in", /three parts .* this has 1/],
		["a.b", /this has 2/],
		["a.b.c.d.e", /encrypted one \(JWE\)/],
		["a.b.c.d.e.f", /this has 6/],
		["!.e30.", /its header is not text in base64url/],
		[`${part({})}.${Buffer.from([0xff]).toString("base64url")}.`, /its claims/],
		[`${part("{")}.${part({})}.`, /its header is not JSON/],
		[`${part({})}.${part([])}.`, /its claims must be a JSON object/],
		[`${part({})}.${part("null")}.`, /its claims must be a JSON object/],
	])("refuses %s", (text, message) => {
		expect(() => decodeToken(text)).toThrow(message);
	});
});

test.each([
	` ${TOKEN}\n`,
	`"${TOKEN}"`,
	`Bearer ${TOKEN}`,
	`authorization: bearer ${TOKEN}`,
	`X-Custom-Jwt: ${TOKEN}`,
	`${TOKEN.slice(0, 9)}\r\n  ${TOKEN.slice(9)}`,
])("the token is found in what was pasted: %j", (text) => {
	expect(tokenIn(text)).toBe(TOKEN);
});

test("other claims stand between the same header and signature", () => {
	const forged = decodeToken(withClaims(TOKEN, { client_id: "zoë, forged" }));
	expect(forged.claims).toEqual({ client_id: "zoë, forged" });
	const [header, , signature] = TOKEN.split(".");
	expect(forged.parts).toMatchObject({ 0: header, 2: signature });
});
