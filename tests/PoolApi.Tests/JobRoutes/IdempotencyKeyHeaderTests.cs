using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The header Idempotency-Key: a quoted string in the draft, a bare token from most clients.</summary>
public class IdempotencyKeyHeaderTests
{
    private static readonly string Longest = new('k', 255);

    [Theory]
    [InlineData("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    [InlineData("\"8e03978e-40d5-43e8-bc93-6894a57f9324\"", "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    [InlineData("  order:17/x ", "order:17/x")]
    [InlineData("\"a,b;c\"", "a,b;c")]
    [InlineData("""
        "a\"b\\c"
        """, "a\"b\\c")]
    public void A_key_is_read_with_or_without_quotes(string header, string key)
    {
        var given = new HeaderCase("", ("Idempotency-Key", [header]));
        Assert.Equal(key, IdempotencyKeyHeader.Read(given.Context, given.Faults));
        given.AssertRight();
    }

    [Fact]
    public void A_key_of_255_characters_is_read_and_a_missing_header_gives_no_key()
    {
        foreach (string header in (string[])[Longest, $"\"{Longest}\"", $"\"{Longest[1..]}\\\"\""])
        {
            var given = new HeaderCase("", ("Idempotency-Key", [header]));
            Assert.Equal(255, IdempotencyKeyHeader.Read(given.Context, given.Faults)?.Length);
            given.AssertRight();
        }
        var none = new HeaderCase();
        Assert.Null(IdempotencyKeyHeader.Read(none.Context, none.Faults));
        none.AssertRight();
    }

    public static TheoryData<string> Wrong => new(
        "", " ", "\"\"", "\"", "\"abc", "abc\"", "\"abc\"x", "\"a\" \"b\"", "a b", "a,b", "a;b", "a\\b", "\"a\\b\"", "\"a\\", "\"a\u00e9\"", "\u00e9", "a\0",
        Longest + "k", $"\"{Longest}k\"", new string('k', 10_240), $"\"{new string('k', 10_240)}\"");

    [Theory, MemberData(nameof(Wrong))]
    public void A_wrong_key_is_a_short_fault_that_names_the_allowed_length(string header)
    {
        var given = new HeaderCase("", ("Idempotency-Key", [header]));
        Assert.Null(IdempotencyKeyHeader.Read(given.Context, given.Faults));
        string fault = given.AssertFault("Idempotency-Key");
        Assert.Contains("1 to 255", fault, StringComparison.Ordinal);
        Assert.True(fault.Length < 300);
    }

    [Fact]
    public void Several_keys_are_a_fault()
    {
        var given = new HeaderCase("", ("Idempotency-Key", ["a", "a"]));
        Assert.Null(IdempotencyKeyHeader.Read(given.Context, given.Faults));
        Assert.Contains("given 2 times", given.AssertFault("Idempotency-Key"), StringComparison.Ordinal);
    }
}
