/** Who is who, told by both plugin servers. */
import type { JWTPayload } from "jose";
import {
	type Certificate,
	makeCertificate,
} from "../../../local/gateway/certificate";
import { onBothServers } from "../../support/both-servers";
import type { KnownRequest } from "../../support/facts";
import {
	anonymous,
	consumer,
	credentials,
	requests,
	service,
	unsignedToken,
} from "../../support/samples";

const BALANCER = "O=Orders, CN=orders";

/** Certificates of one subject from two authorities. */
let certificates: Certificate[];
beforeAll(async () => {
	certificates = [];
	for (const name of ["Authority A", "Authority B"]) {
		const ca = { ca: true, days: 1 };
		const issuer = await makeCertificate([{ CN: [name] }], ca);
		const options = { issuer, days: 1 };
		const subject = await makeCertificate(
			[{ O: ["Orders"] }, { CN: ["orders"] }],
			options,
		);
		certificates.push(subject);
	}
});

onBothServers((outcome) => {
	test("two identity providers' subjects of one name, whose credentials are one consumer's, differ by idp", async () => {
		const claims = async (iss: string) =>
			outcome(
				{
					service,
					consumer,
					credential: { ...credentials.jwt, key: iss },
					shared: {
						authenticated_jwt_token: unsignedToken({
							clientId: "portal",
							sub: "ceo",
							iss,
						}),
					},
				},
				{ set_claims: { idp: "$(auth.issuer)" } },
			);
		const same = {
			client_id: "portal",
			sub: "ceo",
			act: { client_id: consumer.custom_id },
			iss: "https://kong-gateway:8443/x-custom-jwt",
		};
		for (const idp of ["https://idp-a.example", "https://idp-b.example"])
			expect(await claims(idp)).toMatchObject({ ...same, idp });
		const set_claims = { idp: "$(auth.issuer)" };
		expect(await outcome(requests.key, { set_claims })).not.toHaveProperty(
			"idp",
		);
	});

	test("two authorities' certificates of one subject differ by $(certificate.issuer)", async () => {
		const set_claims = { ca: "$(certificate.issuer)" };
		for (const [index, ca] of ["CN=Authority A", "CN=Authority B"].entries()) {
			const certificate = certificates[index]?.cert;
			const request = { ...requests.mtls, certificate };
			expect(await outcome(request, { set_claims })).toMatchObject({
				client_id: BALANCER,
				ca,
			});
		}
	});

	describe("a certificate that the listener verified", () => {
		const named = (username: string) => ({ ...consumer, username });
		const set_claims = { auth_method: "$(auth.method)" };
		const auth_methods = ["basic", "key", "consumer", "mtls", "oidc"];
		const VERIFIES = { CLIENT_VERIFY_OVERRIDE: "SUCCESS" };
		const DENIES = { CLIENT_VERIFY_OVERRIDE: "NONE" };

		test.each<[string, KnownRequest, JWTPayload | number]>([
			["nobody", {}, { auth_method: "mtls", client_id: BALANCER }],
			[
				"nobody, by an mTLS plugin too",
				{ ctx: VERIFIES },
				{ auth_method: "mtls", client_id: BALANCER },
			],
			["nobody, by an mTLS plugin's verdict", { ctx: DENIES }, 401],
			[
				"a user by name and password",
				{ credential: credentials.basic, consumer },
				{ auth_method: "basic", client_id: "my-user" },
			],
			[
				"alice by a session",
				{
					credential: credentials.idOnly,
					consumer: { ...named("alice"), custom_id: null },
				},
				{ auth_method: "consumer", client_id: "alice" },
			],
			[
				"bob by a session",
				{
					credential: credentials.idOnly,
					consumer: { ...named("bob"), custom_id: null },
				},
				{ auth_method: "consumer", client_id: "bob" },
			],
			[
				"a consumer by an mTLS plugin",
				{ credential: credentials.idOnly, consumer, ctx: VERIFIES },
				{
					auth_method: "mtls",
					client_id: BALANCER,
					act: { client_id: consumer.custom_id },
				},
			],
			["Kong's anonymous consumer", anonymous, 401],
		])("behind it, Kong authenticated %s", async (_, request, expected) => {
			const certificate = certificates[0]?.cert;
			const known = { ...requests.mtls, certificate, ...request };
			const seen = await outcome(known, { auth_methods, set_claims });
			if (typeof expected === "number") expect(seen).toBe(expected);
			else expect(seen).toMatchObject(expected);
		});
	});

	test("a certificate that an mTLS plugin verified counts where the listener verified none", async () => {
		const request = {
			...requests.mtls,
			certificate: certificates[0]?.cert,
			vars: { ssl_client_verify: "NONE" },
		};
		expect(await outcome(request)).toBe(401);
		const ctx = { CLIENT_VERIFY_OVERRIDE: "SUCCESS" };
		expect(await outcome({ ...request, ctx })).toMatchObject({
			client_id: BALANCER,
		});
	});
});
