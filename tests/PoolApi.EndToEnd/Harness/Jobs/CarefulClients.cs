using System.Collections.Concurrent;

namespace PoolApi.EndToEnd.Harness.Jobs;

/// <summary>Clients that post jobs one after another, each job with its own Idempotency-Key. After any answer other than 202, and
/// after none, a client repeats the request with the same key until the job is accepted. The clients record the accepted
/// jobs.</summary>
internal sealed class CarefulClients : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);
    private readonly ConcurrentDictionary<string, Guid> _promised = new();
    private readonly ConcurrentDictionary<string, int> _otherAnswers = new();
    private readonly ConcurrentQueue<string> _broken = new();
    private readonly CancellationTokenSource _over = new();
    private readonly string _work;
    private readonly int _pauseMs;
    private readonly Func<int?> _choosePort;
    private readonly Task[] _clients;
    private volatile bool _abandoned;

    /// <summary>Starts the clients.</summary>
    /// <param name="clients">The number of clients.</param>
    /// <param name="work">The path and query of each request.</param>
    /// <param name="choosePort">The port for the next request; null: no service runs, so the client waits.</param>
    /// <param name="pauseMs">How long each client pauses after each job.</param>
    public CarefulClients(int clients, string work, Func<int?> choosePort, int pauseMs = 5)
    {
        (_work, _choosePort, _pauseMs) = (work, choosePort, pauseMs);
        _clients = [.. Enumerable.Range(0, clients).Select(PostAsync)];
    }

    /// <summary>The tag of all these jobs, and of no others.</summary>
    public string Tag { get; } = "t" + Guid.NewGuid().ToString("N");

    /// <summary>The accepted job of each key.</summary>
    public IReadOnlyDictionary<string, Guid> Promised => _promised;

    /// <summary>How many answers were no 202, by the problem's name; "none" counts requests without an answer.</summary>
    public IReadOnlyDictionary<string, int> OtherAnswers => _otherAnswers;

    /// <summary>Waits until each client has finished its current job, and ends the clients.</summary>
    public async Task FinishAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_clients).Patiently();
        Assert.Empty(_broken);
    }

    /// <summary>The accepted jobs must be exactly these, and all must have succeeded.</summary>
    public void MustBe(IReadOnlyCollection<JobView> all)
    {
        Assert.NotEmpty(_promised);
        var ids = all.Select(job => job.Id).ToHashSet();
        Assert.All(_promised.Values, id => Assert.True(ids.Contains(id), $"{id} is lost"));
        Assert.Equal(_promised.Count, all.Count); // one job for each key, and no more
        Assert.All(all, job => Assert.True(job.State == "succeeded", job.ToString()));
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _abandoned = true;
        await _over.CancelAsync();
        await Task.WhenAll(_clients).Patiently().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _over.Dispose();
    }

    /// <inheritdoc />
    public override string ToString() =>
        $"{_promised.Count} promised, otherwise {string.Join(", ", _otherAnswers.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Value} {a.Key}"))}";

    private async Task PostAsync(int client)
    {
        await Task.Yield();
        var connections = new Dictionary<int, KeepAliveClient>();
        for (int i = 0; !_over.IsCancellationRequested; i++)
        {
            string key = $"{Tag}-{client}-{i}";
            await PostOneAsync(key, connections);
            // The client repeats every eighth request, and the answer must name the same job.
            if (i % 8 == 0)
                await PostOneAsync(key, connections);
            await Task.Delay(_pauseMs, CancellationToken.None); // the pace of a client
        }

        foreach (var connection in connections.Values)
            connection.Dispose();
    }

    /// <summary>Waits until some more jobs are accepted, which shows that the clients are running.</summary>
    public Task GoOnAsync()
    {
        int before = _promised.Count;
        return Eventually.SeesAsync(() => Task.FromResult(_promised.Count), count => count >= before + 20, "more promises");
    }

    private async Task PostOneAsync(string key, Dictionary<int, KeepAliveClient> connections)
    {
        while (true)
        {
            if (_choosePort() is { } port)
            {
                if (!connections.TryGetValue(port, out var connection))
                    connections.Add(port, connection = new KeepAliveClient(port));
                var answer = await connection.PostAsync(_work, $"Prefer: respond-async\r\nIdempotency-Key: {key}\r\nJob-Tags: {Tag}\r\n");
                if (answer is { Status: 202 })
                {
                    var id = answer.Json().GetProperty("id").GetGuid();
                    if (_promised.GetOrAdd(key, id) != id)
                        _broken.Enqueue($"{key} was promised as {_promised[key]} and as {id}");
                    return;
                }

                _otherAnswers.AddOrUpdate(answer is null ? "none" : Problem.Read(answer.Json()).Name, 1, (_, n) => n + 1);
            }

            // Only if the test has failed already: a key without an accepted job proves nothing.
            if (_abandoned)
                return;

            await Task.Delay(Pause, CancellationToken.None); // its pause before it tries again
        }
    }
}
