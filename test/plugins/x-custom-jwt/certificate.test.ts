import { createHash, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { makeCertificate } from "../../../local/gateway/certificate";
import { readCertificate } from "../../../plugins/x-custom-jwt/certificate";
import { claimsFor, run } from "../../support/run";
import { requests } from "../../support/samples";

const URI = "spiffe://example.org/orders";
const NAMES = [
	{ type: "url", value: URI },
	{ type: "dns", value: "orders.example" },
	{ type: "dns", value: "orders, DNS:admin.example" },
	{ type: "email", value: "orders@example.org" },
] as const;

let pem: string;
beforeAll(async () => {
	const options = { names: [...NAMES], days: 1 };
	({ cert: pem } = await makeCertificate(
		[{ O: ["Kong"] }, { CN: ["orders"] }],
		options,
	));
});

const templates = {
	subject: "$(certificate.subject)",
	issuer: "$(certificate.issuer)",
	serial: "$(certificate.serial)",
	fingerprint: "$(certificate.fingerprint)",
	uri: "$(certificate.san.uri)",
	dns: "$(certificate.san.dns)",
	email: "$(certificate.san.email)",
	not_after: "$(certificate.not_after)",
};

const thumbprint = () =>
	createHash("sha256").update(new X509Certificate(pem).raw).digest("base64url");

test("templates name what a verified certificate says, whoever the client is", async () => {
	const certificate = new X509Certificate(pem);
	for (const request of [
		{ ...requests.mtls, certificate: pem },
		{ ...requests.mtls, ...requests.key, certificate: pem },
	])
		expect(await claimsFor(request, { set_claims: templates })).toMatchObject({
			subject: "O=Kong, CN=orders",
			issuer: "O=Kong, CN=orders",
			serial: certificate.serialNumber,
			fingerprint: thumbprint(),
			uri: [URI],
			dns: ["orders.example", "orders, DNS:admin.example"],
			email: ["orders@example.org"],
			not_after: Date.parse(certificate.validTo) / 1000,
		});
});

test("no two subjects are one text, whatever is in them", async () => {
	const value = fc.constantFrom(
		"a",
		"b",
		"\\",
		" ",
		"\n",
		"+",
		"a, CN=b",
		"a + CN=b",
		"a\nCN=b",
		"\\2C",
	);
	const attribute = fc.oneof(
		value.map((CN) => ({ CN: [CN] })),
		value.map((O) => ({ O: [O] })),
		// Two in one place (RFC 5280 §4.1.2.4, RelativeDistinguishedName).
		fc.tuple(value, value).map((CN) => ({ CN: CN.toSorted() })),
	);
	const subjects = fc.array(attribute, { minLength: 1, maxLength: 2 });
	const texts = new Map<unknown, string>();
	const property = fc.asyncProperty(subjects, async (subject) => {
		const { cert } = await makeCertificate(subject, { days: 1 });
		const text = readCertificate(cert)?.subject;
		const written = JSON.stringify(subject);
		expect(texts.get(text) ?? written).toBe(written);
		texts.set(text, written);
	});
	await fc.assert(property, { numRuns: 200 });
});

test.each(["NONE", "FAILED:self-signed certificate"])(
	"nothing is said of a certificate that was not verified: %s",
	async (ssl_client_verify) => {
		const request = {
			...requests.mtls,
			...requests.key,
			certificate: pem,
			vars: { ssl_client_verify },
		};
		const config = { set_claims: templates, bind_certificate: true };
		const claims = await claimsFor(request, config);
		for (const claim of [...Object.keys(templates), "cnf"])
			expect(claims).not.toHaveProperty(claim);
	},
);

test("bind_certificate binds the token to the certificate (RFC 8705)", async () => {
	const request = { ...requests.mtls, certificate: pem };
	const config = { bind_certificate: true };
	expect((await claimsFor(request, config)).cnf).toEqual({
		"x5t#S256": thumbprint(),
	});
	expect(await claimsFor(request)).not.toHaveProperty("cnf");
});

test("the certificate is asked for with all the rest", async () => {
	const { rounds } = await run(requests.key, { bind_certificate: true });
	expect(rounds).toEqual([expect.arrayContaining(["certificate"])]);
});

describe("groups", () => {
	const set_claims = { groups: "$(groups)", tiers: "$(consumer.groups)" };

	test.each([
		["a list", ["admins", "users"]],
		[
			"Kong's list that is an object too",
			{ 1: "admins", 2: "users", admins: "admins", users: "users" },
		],
	])(
		"are those that a security plugin left: %s",
		async (_, authenticated_groups) => {
			for (const place of ["shared", "ctx"])
				expect(
					await claimsFor(
						{ ...requests.basic, [place]: { authenticated_groups } },
						{ set_claims },
					),
				).toMatchObject({ groups: ["admins", "users"] });
		},
	);

	test("of the consumer are Kong's consumer groups by name", async () => {
		const authenticated_consumer_groups = [
			{ id: "1", name: "gold" },
			{ id: "2", name: "silver" },
		];
		const request = { ...requests.key, ctx: { authenticated_consumer_groups } };
		expect(await claimsFor(request, { set_claims })).toMatchObject({
			tiers: ["gold", "silver"],
		});
	});

	test("are no claim when there are none", async () => {
		for (const authenticated_groups of [undefined, [], "admins", [7]]) {
			const request = { ...requests.key, shared: { authenticated_groups } };
			const claims = await claimsFor(request, { set_claims });
			expect(claims).not.toHaveProperty("groups");
		}
	});
});

test("a template value that is no UTF-8 is refused", async () => {
	const request = { ...requests.key, headers: { "x-tenant": "a\uFFFD" } };
	const config = { set_claims: { tenant: "$(headers.x-tenant)" } };
	const { exit, logs } = await run(request, config);
	expect(exit?.status).toBe(401);
	expect(logs[0]?.message).toBe(
		"$(headers.x-tenant): holds bytes that are no UTF-8",
	);
});
