using Npgsql;
using PoolApi.Jobs.PostgreSql;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>A wait for a notification ends when it is cancelled, even if Npgsql loses the cancellation.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class NotificationWaitTests(PostgresCluster cluster)
{
    [Fact]
    public async Task A_wait_ends_even_if_its_cancellation_was_lost()
    {
        await using NpgsqlConnection connection = await ConnectAsync();
        using var cancelled = new CancellationTokenSource();
        Task lost = connection.WaitAsync(CancellationToken.None); // like Npgsql's own wait after a lost cancellation
        Task ends = NotificationWait.EndAsync(connection, lost, cancelled.Token);
        Assert.False(ends.IsCompleted);

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ends.Patiently());
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => lost.Patiently());
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_ends()
    {
        await using NpgsqlConnection connection = await ConnectAsync();
        using var cancelled = new CancellationTokenSource();
        Task ends = NotificationWait.RunAsync(connection, cancelled.Token);

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ends.Patiently());
    }

    [Fact]
    public async Task A_notification_ends_the_wait()
    {
        await using NpgsqlConnection connection = await ConnectAsync();
        await using (var listen = new NpgsqlCommand("listen heard", connection)) await listen.ExecuteNonQueryAsync(Patience.Token);
        Task ends = NotificationWait.RunAsync(connection, Patience.Token);

        await cluster.ExecuteAsync("notify heard");

        await ends.Patiently();
    }

    private async Task<NpgsqlConnection> ConnectAsync()
    {
        PostgresCluster.Require();
        var connection = new NpgsqlConnection(cluster.ConnectionString + ";Pooling=false");
        await connection.OpenAsync(Patience.Token);
        return connection;
    }
}
