using PoolApi.Passwords;

namespace PoolApi.Tests.Passwords;

public class Argon2HashTests
{
    private const string Salt = "c29tZXNhbHRzb21lc2FsdA";
    private const string Tag = "K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE";

    [Theory]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}${Tag}", 19456, 2)]
    [InlineData($"$argon2id$v=19$m=65536,t=4,p=1${Salt}${Tag}", 65536, 4)]
    [InlineData($"$argon2id$v=19$m=7168,t=10,p=1${Salt}${Tag}", 7168, 10)]
    [InlineData($"$argon2id$v=19$m=8,t=1,p=1${Salt}${Tag}", 8, 1)]
    public void A_hash_within_the_caps_is_read_and_written_the_same(string encoded, int memoryKiB, int passes)
    {
        Assert.True(Argon2Hash.TryParse(encoded, out var hash, out var fault), fault);
        Assert.Equal((memoryKiB, passes), (hash.MemoryKiB, hash.Passes));
        Assert.Equal("somesaltsomesalt"u8.ToArray(), hash.Salt.ToArray());
        Assert.Equal(32, hash.Tag.Length);
        Assert.Equal(encoded, hash.ToString());
    }

    [Theory]
    [InlineData("", "PHC string form")]
    [InlineData("plain text", "PHC string form")]
    [InlineData("argon2id$v=19$m=19456,t=2,p=1$a$b", "PHC string form")]
    [InlineData("$2b$12$abcdefghijklmnopqrstuuSomeBcryptHash", "must be argon2id")]
    [InlineData($"$argon2i$v=19$m=19456,t=2,p=1${Salt}${Tag}", "must be argon2id")]
    [InlineData($"$argon2d$v=19$m=19456,t=2,p=1${Salt}${Tag}", "must be argon2id")]
    [InlineData($"$Argon2id$v=19$m=19456,t=2,p=1${Salt}${Tag}", "must be argon2id")]
    [InlineData($"$argon2id$m=19456,t=2,p=1${Salt}${Tag}", "five parts")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}", "five parts")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}${Tag}$", "five parts")]
    [InlineData($"$argon2id$v=16$m=19456,t=2,p=1${Salt}${Tag}", "must be v=19")]
    [InlineData($"$argon2id$v=19$t=2,m=19456,p=1${Salt}${Tag}", "in this order")]
    [InlineData($"$argon2id$v=19$m=19456,t=2${Salt}${Tag}", "in this order")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1,keyid=a${Salt}${Tag}", "in this order")]
    [InlineData($"$argon2id$v=19$m=019456,t=2,p=1${Salt}${Tag}", "plain decimal")]
    [InlineData($"$argon2id$v=19$m=+19456,t=2,p=1${Salt}${Tag}", "plain decimal")]
    [InlineData($"$argon2id$v=19$m= 19456,t=2,p=1${Salt}${Tag}", "plain decimal")]
    [InlineData($"$argon2id$v=19$m=-1,t=2,p=1${Salt}${Tag}", "plain decimal")]
    [InlineData($"$argon2id$v=19$m=,t=2,p=1${Salt}${Tag}", "plain decimal")]
    [InlineData($"$argon2id$v=19$m=65537,t=1,p=1${Salt}${Tag}", "8 to 65536")]
    [InlineData($"$argon2id$v=19$m=7,t=1,p=1${Salt}${Tag}", "8 to 65536")]
    [InlineData($"$argon2id$v=19$m=4294967296,t=1,p=1${Salt}${Tag}", "8 to 65536")]
    [InlineData($"$argon2id$v=19$m=99999999999999999999999999,t=1,p=1${Salt}${Tag}", "8 to 65536")]
    [InlineData($"$argon2id$v=19$m=19456,t=0,p=1${Salt}${Tag}", "1 to 10")]
    [InlineData($"$argon2id$v=19$m=19456,t=11,p=1${Salt}${Tag}", "1 to 10")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=0${Salt}${Tag}", "p is not accepted; it must be 1")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=4${Salt}${Tag}", "p is not accepted; it must be 1")]
    [InlineData($"$argon2id$v=19$m=65536,t=5,p=1${Salt}${Tag}", "at most 262144")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ${Tag}", "it must be 16 bytes")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}AAAA${Tag}", "it must be 16 bytes")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$AAAAAAAAAAAAAAAA", "16 to 64 bytes")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$${Tag}", "five parts")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1$${Tag}", "base64")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}==${Tag}", "base64")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}${Tag}=", "base64")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$K13EBUiG7JV-9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE", "base64")] // base64url
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptF", "stray bits")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$K13EBUiG7JV+ 9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE", "base64")]
    [InlineData($"$argon2id$v=19$m=19456,t=2,p=1${Salt}$K", "base64")]
    public void An_invalid_hash_is_refused_and_the_message_names_what_is_allowed(string encoded, string words)
    {
        Assert.False(Argon2Hash.TryParse(encoded, out var hash, out var fault));
        Assert.Null(hash);
        Assert.Contains(words, fault, StringComparison.Ordinal);
        Assert.DoesNotContain(Tag[..12], fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(193)]
    [InlineData(10_000_000)]
    public void A_hash_longer_than_192_characters_is_refused(int length)
    {
        Assert.False(Argon2Hash.TryParse(new string('$', length), out _, out var fault));
        Assert.Contains("at most 192 characters", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hash_with_the_longest_tag_is_within_the_length_limit()
    {
        var longest = new Argon2Hash(65536, 4, new byte[16], new byte[64]).ToString();
        Assert.True(Argon2Hash.TryParse(longest, out _, out var fault), fault);
    }

    [Fact]
    public void No_change_of_one_character_parses_to_the_same_hash()
    {
        var encoded = $"$argon2id$v=19$m=19456,t=2,p=1${Salt}${Tag}";
        for (var at = 0; at < encoded.Length; at++)
        {
            foreach (var other in "0Aa$=, -+/")
            {
                var changed = string.Concat(encoded.AsSpan(0, at), [other], encoded.AsSpan(at + 1));
                if (Argon2Hash.TryParse(changed, out var hash, out _))
                    Assert.Equal(changed, hash.ToString());
            }
        }
    }
}
