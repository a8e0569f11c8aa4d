using PoolApi.Jobs.PostgreSql;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The largest number of connections that a store opens: the connection string's, or 16.</summary>
[Trait("Category", "Slow")]
public sealed class PoolSizeTests
{
    [Theory]
    [InlineData("", 16)]
    [InlineData("Maximum Pool Size=100", 100)] // Npgsql's own default
    [InlineData("maxpoolsize=100", 100)]
    [InlineData("Maximum Pool Size=3", 3)]
    [InlineData("Maximum Pool Size=16", 16)]
    [InlineData("Minimum Pool Size=1", 16)]
    public async Task A_configured_pool_size_is_kept_even_if_it_is_the_default_of_Npgsql(string setting, int size)
    {
        await using var database = new Database($"Host=127.0.0.1;{setting}", DatabaseLimits.Default);

        Assert.Equal(size, database.MaxPoolSize);
    }
}
