// Reads and writes messages of shared.envelope; one JSON job a line in, one JSON answer a line out. Bytes are base64.
// {"key", "context", "message"} is answered by {"plaintext"}, {"key", "context", "plaintext"} by {"message"}, and what
// is refused by {"error"}.
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import {
  AlgorithmSuiteIdentifier,
  CommitmentPolicy,
  RawAesWrappingSuiteIdentifier,
  buildClient,
} from '@aws-crypto/client-node'
import { RawAesKeyringNode } from '@aws-crypto/raw-aes-keyring-node'

const { encrypt, decrypt } = buildClient({
  commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  maxEncryptedDataKeys: 1,
})

const keyring = (dataKey) =>
  new RawAesKeyringNode({
    keyNamespace: 'shared.envelope',
    keyName: 'kms-data-key',
    unencryptedMasterKey: new Uint8Array(dataKey),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
    utf8Sorting: true, // else this SDK orders a context as the locale would, and other languages cannot read it
  })

async function open(message, dataKey, context) {
  const { plaintext, messageHeader } = await decrypt(keyring(dataKey), message)
  // The SDK does not know what context is expected.
  if (!isDeepStrictEqual({ ...messageHeader.encryptionContext }, context)) throw new Error('another context')
  return plaintext
}

async function seal(plaintext, dataKey, context) {
  const { result } = await encrypt(keyring(dataKey), plaintext, {
    encryptionContext: context,
    suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
  })
  return result
}

const bytes = (text) => Buffer.from(text, 'base64')

for await (const line of createInterface({ input: process.stdin })) {
  const { message, plaintext, key, context } = JSON.parse(line)
  let answer
  try {
    answer =
      message === undefined
        ? { message: (await seal(bytes(plaintext), bytes(key), context)).toString('base64') }
        : { plaintext: (await open(bytes(message), bytes(key), context)).toString('base64') }
  } catch (error) {
    answer = { error: error.message }
  }
  console.log(JSON.stringify(answer))
}
