using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Receives the changes of other instances by LISTEN, on a connection of its own. Idle it uses neither a timer nor a query.</summary>
/// <remarks>
/// When the connection is lost, or another connection failed (<see cref="Doubt"/>), it reconnects until that succeeds. Notifications in between are lost,
/// so it then reports that some may have been missed.
/// </remarks>
internal sealed class ChangeListener : IAsyncDisposable
{
    private readonly Database _database;
    private readonly string _listen;
    private readonly Action<string> _heard;
    private readonly Action _mayHaveMissed;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private CancellationTokenSource? _doubt; // of the connection that listens now
    private Task _listening = Task.CompletedTask;

    /// <param name="database">Where it connects to.</param>
    /// <param name="channel">The channel's name, without quotes.</param>
    /// <param name="heard">Receives each message.</param>
    /// <param name="mayHaveMissed">Called when messages may have been missed.</param>
    public ChangeListener(Database database, string channel, Action<string> heard, Action mayHaveMissed)
    {
        (_database, _heard, _mayHaveMissed) = (database, heard, mayHaveMissed);
        _listen = $"listen \"{channel}\"";
    }

    /// <summary>Starts to listen.</summary>
    /// <exception cref="NpgsqlException">It cannot connect.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        NpgsqlConnection connection = await ConnectAsync(cancellation);
        using (ExecutionContext.SuppressFlow()) _listening = ListenAsync(connection);
    }

    /// <summary>Reconnects, because other connections have failed and this one may be dead unnoticed.</summary>
    public void Doubt()
    {
        lock (_lock) _doubt?.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _listening;
        _closing.Dispose();
    }

    private async Task<NpgsqlConnection> ConnectAsync(CancellationToken cancellation)
    {
        NpgsqlConnection connection = await _database.OpenSingleAsync(cancellation);
        try
        {
            connection.Notification += (_, message) => _heard(message.Payload);
            await using var command = new NpgsqlCommand(_listen, connection);
            await command.ExecuteNonQueryAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private async Task ListenAsync(NpgsqlConnection? connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        RetryPause pause = default;
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                if (connection is null)
                {
                    connection = await ConnectAsync(_closing.Token);
                    _mayHaveMissed();
                    pause.Reset();
                }
                await WaitAsync(connection);
            }
            catch (OperationCanceledException)
            {
                // Doubt was called, or the store is closing.
            }
            catch (Exception e)
            {
                // Any exception: the listener must continue trying to connect. The idle sessions of the pool may have lost the server too.
                if (connection is not null) _database.Interrupted();
                else _database.OpeningFailed(e);
            }
            if (connection is not null) await connection.DisposeAsync();
            connection = null;
            if (_closing.IsCancellationRequested) return;
            await Task.Delay(pause.Next(), _closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WaitAsync(NpgsqlConnection connection)
    {
        using var doubt = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
        lock (_lock) _doubt = doubt;
        try
        {
            while (true) await NotificationWait.RunAsync(connection, doubt.Token);
        }
        finally
        {
            lock (_lock) _doubt = null;
        }
    }
}
