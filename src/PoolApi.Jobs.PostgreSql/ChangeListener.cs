using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Hears what other instances change, on a connection of its own that waits for it: without polling, without a timer.</summary>
/// <remarks>
/// When the connection is lost, or something else says that the database was (<see cref="Doubt"/>), it connects anew until that
/// works. What was said in the meantime is not said again; so whoever listens is told that something may have been missed.
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
    /// <param name="channel">What it listens on: no quotes in it.</param>
    /// <param name="heard">Is given each message.</param>
    /// <param name="mayHaveMissed">Is told that messages may have been missed.</param>
    public ChangeListener(Database database, string channel, Action<string> heard, Action mayHaveMissed)
    {
        (_database, _heard, _mayHaveMissed) = (database, heard, mayHaveMissed);
        _listen = $"listen \"{channel}\"";
    }

    /// <summary>Listens from here on.</summary>
    /// <exception cref="NpgsqlException">It cannot connect.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        NpgsqlConnection connection = await ConnectAsync(cancellation);
        using (ExecutionContext.SuppressFlow()) _listening = ListenAsync(connection);
    }

    /// <summary>Other connections have failed: this one may be dead without knowing.</summary>
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
                // Doubted.
            }
            catch (Exception)
            {
                // Lost, or not there yet, for whatever reason: it must go on to try. Idle sessions of the pool have lost the server, too.
                _database.Interrupted();
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
            while (true) await connection.WaitAsync(doubt.Token);
        }
        finally
        {
            lock (_lock) _doubt = null;
        }
    }
}
