using PoolApi.Auth;
using PoolApi.Threading;

namespace PoolApi.Tests.Auth;

/// <summary>The settings of a client: its key, as text or as a hash, and its permissions.</summary>
public class ApiKeySectionTests
{
    private const string Key = "a-good-enough-secret";

    [Fact]
    public void A_generated_key_authenticates_the_client_that_is_stored_with_its_hash()
    {
        string key = ApiKeyHash.New();
        Assert.True(ApiKeyHash.IsKey(key));
        Assert.NotEqual(key, ApiKeyHash.New());
        (ApiKeys keys, List<string> faults) = Read(("alice", ApiKeyHash.Write(ApiKeyHash.Of(key))));
        Assert.Empty(faults);
        Assert.Equal(new ApiClient("alice"), keys.ClientOf(With(key)));
        Assert.Null(keys.ClientOf(With(ApiKeyHash.New())));
    }

    [Fact]
    public void A_client_that_sends_the_stored_hash_as_its_key_is_not_authenticated()
    {
        string hash = ApiKeyHash.Write(ApiKeyHash.Of(Key));
        (ApiKeys keys, _) = Read(("alice", hash));
        Assert.Null(keys.ClientOf(With(hash)));
    }

    [Fact]
    public void Each_client_has_its_own_role_concurrency_limit_and_maximum_priority()
    {
        (ApiKeys keys, List<string> faults) = Read(
            ("alice:Hash", ApiKeyHash.Write(ApiKeyHash.Of(Key))), ("alice:Role", "admin"), ("alice:MaxConcurrency", "3"), ("alice:MaxPriority", "low"),
            ("bob:Key", "another-good-secret"), ("bob:Role", "read"));
        Assert.Empty(faults);
        Assert.Equal(2, keys.Count);
        Assert.Equal(new ApiClient("alice", ApiRole.Admin, 3, WorkPriority.Low), keys.ClientOf(With(Key)));
        Assert.Equal(new ApiClient("bob", ApiRole.Read), keys.ClientOf(With("another-good-secret")));
    }

    [Fact]
    public void The_clients_whose_key_itself_is_stored_are_known_by_name()
    {
        string hash = ApiKeyHash.Write(ApiKeyHash.Of("the-key-of-a-hash"));
        Assert.Equal(["bob", "carol", "dave"], Read(
            ("alice", hash), ("bob", Key), ("carol", ""), ("carol:Key", "another-good-secret"), ("carol:Role", "read"), ("dave:Hash", "yet-another-good-secret")).Keys.Plain);
        Assert.Empty(Read(("alice", hash), ("bob:Hash", ApiKeyHash.Write(ApiKeyHash.Of(Key)))).Keys.Plain);
    }

    [Theory]
    [InlineData("Keys:a:Role is 'boss'; it must be read, work or admin.", "a:Role", "boss")]
    [InlineData("Keys:a:MaxConcurrency is '0'; it must be a whole number from 1 to 1000000.", "a:MaxConcurrency", "0")]
    [InlineData("Keys:a:MaxPriority is 'top'; it must be high, normal or low.", "a:MaxPriority", "top")]
    [InlineData("Keys:a:Colour is not a setting; the settings under Keys:a are: Hash, Key, MaxConcurrency, MaxPriority, Role.", "a:Colour", "secret-red-secret-red")]
    [InlineData("Keys:a has both Key and Hash; it must have only one of them.", "a:Hash", "another-good-secret")]
    public void A_wrong_setting_of_a_client_is_a_fault_that_names_the_setting(string fault, string key, string value) =>
        Assert.Equal([fault], Read(("a:Key", Key), (key, value)).Faults);

    [Theory]
    [InlineData("sha256:")]
    [InlineData("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde")] // 63 digits
    [InlineData("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg")]
    [InlineData("SHA256:not-a-hash-at-all")]
    public void A_malformed_hash_is_not_a_valid_key(string text) =>
        Assert.StartsWith("Keys:a is not a valid key (the value is not repeated here)", Assert.Single(Read(("a", text)).Faults), StringComparison.Ordinal);

    [Fact]
    public void Two_clients_may_not_share_a_key_even_if_one_stores_its_hash() =>
        Assert.Equal(
            "Keys:b is the same key as Keys:a; each client must have a key of its own.",
            Assert.Single(Read(("a", Key), ("b", ApiKeyHash.Write(ApiKeyHash.Of(Key)))).Faults));

    [Fact]
    public void A_key_is_compared_with_the_keys_of_all_clients_even_after_a_match()
    {
        byte[] hash = ApiKeyHash.Of(Key);
        var keys = new ApiKeys([(hash, new ApiClient("first")), (ApiKeyHash.Of("another-good-secret"), new ApiClient("other")), (hash, new ApiClient("last"))]);
        Assert.Equal("last", keys.ClientOf(With(Key))?.Name);
    }

    // This test reads the source, because no test can measure a difference of some nanoseconds.
    [Fact]
    public void Hashes_are_compared_in_constant_time_only()
    {
        string[] sources = [.. Directory.GetFiles(Path.Combine(Repository.Root, "src", "PoolApi", "Auth"), "*.cs").Select(File.ReadAllText)];
        Assert.Contains(sources, static text => text.Contains("CryptographicOperations.FixedTimeEquals(client.Hash, hash)", StringComparison.Ordinal));
        Assert.All(sources, static text => Assert.DoesNotContain("SequenceEqual", text, StringComparison.Ordinal));
    }

    private static (ApiKeys Keys, List<string> Faults) Read(params ReadOnlySpan<(string Key, string Value)> settings)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (key, value) in settings) values["Keys:" + key] = value;
        var faults = new List<string>();
        return (ApiKeySection.Read([new ConfigurationBuilder().AddInMemoryCollection(values).Build().GetSection("Keys")], faults), faults);
    }

    private static HttpRequest With(string key)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Headers["X-Api-Key"] = key;
        return request;
    }
}
