using System.Text;
using PoolApi.Passwords;

namespace PoolApi.Tests.Passwords;

public class PasswordHasherTests
{
    // Made with the reference implementation's own program (20171227): printf %s PASSWORD | argon2 SALT -id -e -k M -t T -p 1 -l LENGTH
    // The vectors that are published with it have 8-byte salts, which libsodium does not take.
    [Theory]
    [InlineData("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$/DO3gTkjHTS3Fia9YkXB1y76GQrWBcPYFmpyrc7fosI")]
    [InlineData("password", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE")]
    [InlineData("differentpassword", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$CJa7M9FaV9xxM9jA9el9f0rVt1uwKb4YoFkoJk1ZKew")]
    [InlineData("Pässwörd–🔑", "$argon2id$v=19$m=7168,t=5,p=1$MDEyMzQ1Njc4OWFiY2RlZg$9QdfASart7LMQHWFq017PA")]
    [InlineData(
        "password",
        "$argon2id$v=19$m=8,t=1,p=1$ZGlmZnNhbHRkaWZmc2FsdA$VqS/WeDR8aboM/PKo9NuaCd+/sFF4jXRGigXvYazUtsl5Up5RM9+WdnZ0K2dYu21ac0NxKGqf3fuLdIUwqTKqw")]
    public void Hashes_of_the_reference_implementation_verify(string password, string encoded)
    {
        Assert.True(Argon2Hash.TryParse(encoded, out var hash, out var fault), fault);
        Assert.True(PasswordHasher.Verify(password, hash));
        Assert.True(PasswordHasher.Verify(Encoding.UTF8.GetBytes(password), hash));
        Assert.False(PasswordHasher.Verify(password + " ", hash));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("correct horse battery staple")]
    [InlineData("пароль-密码-🔑")]
    [InlineData("with\0zero\0bytes")]
    public void A_hashed_password_verifies_and_no_other_does(string password)
    {
        Assert.True(Argon2Hash.TryParse(PasswordHasher.Hash(password), out var hash, out var fault), fault);
        Assert.True(PasswordHasher.Verify(password, hash));
        Assert.False(PasswordHasher.Verify(password + "\0", hash));
        Assert.False(PasswordHasher.Verify(password.ToUpperInvariant() + "x", hash));
    }

    [Fact]
    public void A_new_hash_costs_what_owasp_recommends()
    {
        var encoded = PasswordHasher.Hash("password");
        Assert.StartsWith("$argon2id$v=19$m=19456,t=2,p=1$", encoded, StringComparison.Ordinal);
        Assert.True(Argon2Hash.TryParse(encoded, out var hash, out _));
        Assert.Equal((16, 32), (hash.Salt.Length, hash.Tag.Length));
    }

    [Fact]
    public void Two_hashes_of_the_same_password_differ() =>
        Assert.NotEqual(PasswordHasher.Hash("password"), PasswordHasher.Hash("password"));

    [Fact]
    public void A_password_in_another_Unicode_normalisation_form_does_not_verify()
    {
        Assert.True(Argon2Hash.TryParse(PasswordHasher.Hash("caf\u00E9"), out var hash, out _));
        Assert.False(PasswordHasher.Verify("cafe\u0301", hash));
    }

    [Fact]
    public void A_hash_that_was_tampered_with_does_not_verify()
    {
        Assert.True(Argon2Hash.TryParse(PasswordHasher.Hash("password"), out var hash, out _));
        foreach (var at in new[] { 0, 15, 31 })
        {
            Assert.False(PasswordHasher.Verify("password", new Argon2Hash(hash.MemoryKiB, hash.Passes, hash.Salt, Flipped(hash.Tag, at))));
        }

        Assert.False(PasswordHasher.Verify("password", new Argon2Hash(hash.MemoryKiB, hash.Passes, Flipped(hash.Salt, 3), hash.Tag)));
        Assert.False(PasswordHasher.Verify("password", new Argon2Hash(hash.MemoryKiB + 1, hash.Passes, hash.Salt, hash.Tag)));
        Assert.False(PasswordHasher.Verify("password", new Argon2Hash(hash.MemoryKiB, hash.Passes + 1, hash.Salt, hash.Tag)));

        static byte[] Flipped(ReadOnlyMemory<byte> bytes, int at)
        {
            var copy = bytes.ToArray();
            copy[at] ^= 1;
            return copy;
        }
    }

    [Theory]
    [InlineData(4096, true)]
    [InlineData(4097, false)]
    [InlineData(0, false)]
    public void The_length_of_a_password_is_bounded(int length, bool accepted)
    {
        var password = new string('x', length);
        Assert.Equal(accepted, PasswordHasher.IsAcceptable(password, out var fault));
        Assert.Equal(accepted, fault is null);
        if (accepted)
            Assert.NotEmpty(PasswordHasher.Hash(password));
        else
            Assert.Throws<ArgumentException>(() => PasswordHasher.Hash(password));
    }

    [Fact]
    public void The_length_is_counted_in_bytes_not_characters() =>
        Assert.False(PasswordHasher.IsAcceptable(new string('€', 2000), out _));

    [Fact]
    public void Half_a_surrogate_pair_is_refused_rather_than_replaced()
    {
        var half = "pass" + '\uD83D';
        Assert.False(PasswordHasher.IsAcceptable(half, out var fault));
        Assert.Contains("Unicode", fault, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PasswordHasher.Hash(half));
    }
}
