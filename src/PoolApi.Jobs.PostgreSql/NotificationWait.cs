using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Waits for a notification, and ends when it is cancelled.</summary>
/// <remarks>
/// Npgsql can lose the cancellation of a wait that has just begun. Then the wait never ends (https://github.com/npgsql/npgsql/issues/5975). So a wait that does
/// not end soon after its cancellation has its connection closed, which ends it. The connection must not come from a pool.
/// </remarks>
internal static class NotificationWait
{
    // A cancellation that is not lost ends the wait within a millisecond. The connection is not used after it in either case.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(250);

    /// <summary>Waits until a notification has come.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled. The connection may be closed.</exception>
    /// <exception cref="NpgsqlException">The connection was lost.</exception>
    public static Task RunAsync(NpgsqlConnection connection, CancellationToken cancellation) =>
        EndAsync(connection, connection.WaitAsync(cancellation), cancellation);

    /// <summary>Waits for a wait of Npgsql that may have lost its cancellation.</summary>
    internal static async Task EndAsync(NpgsqlConnection connection, Task wait, CancellationToken cancellation)
    {
        await wait.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!wait.IsCompleted) await wait.WaitAsync(Grace, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!wait.IsCompleted)
        {
            await connection.CloseAsync();
            await wait.WaitAsync(Grace, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new OperationCanceledException(cancellation);
        }
        await wait;
    }
}
