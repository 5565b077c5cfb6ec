import { JwkError } from "../../jwk/error";
import { generateKey } from "../../jwk/generate";

test("a size for a key of one size is refused without the option of a command", async () => {
	const refused = generateKey("ES256", { bits: 3072 });
	await expect(refused).rejects.toThrow(JwkError);
	await expect(refused).rejects.toThrow(/^only RSA keys .* ES256$/);
});
