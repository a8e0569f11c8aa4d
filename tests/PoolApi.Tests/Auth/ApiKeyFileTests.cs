using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Auth;
using PoolApi.Settings;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Auth;

/// <summary>Changes of the key file apply without a restart, and an invalid file keeps the previous keys.</summary>
public sealed class ApiKeyFileTests : IDisposable
{
    private const string First = "the-first-good-key";
    private const string Second = "the-second-good-key";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // as Kubernetes mounts a secret: the file is a link into a folder that an update replaces
    public async Task A_changed_key_file_is_loaded_and_a_broken_one_keeps_the_previous_keys(bool mounted)
    {
        var file = new KeyFile(_folder.File(""), mounted);
        file.Write($$"""{ "alice": "{{First}}" }""");
        await using ServiceApp app = ServiceApp.With(("Jobs:Store", "none"), ("Auth:KeysFile", file.Path));
        HttpClient client = app.CreateClient();
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (await AskAsync(client, First), await AskAsync(client, Second)));
        await SeeAsync(app, "The settings have the keys of these clients as plain text: alice.");

        file.Write($$"""{ "alice": "{{ApiKeyHash.Write(ApiKeyHash.Of(Second))}}", "bob": "another-good-secret" }""");
        await SeeAsync(app, "The keys were read again: 2 clients have a key.");
        await SeeAsync(app, "The settings have the keys of these clients as plain text: bob.");
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (await AskAsync(client, First), await AskAsync(client, Second)));

        file.Write($$"""{ "alice": "{{First}}", """);
        await SeeAsync(app, "cannot be used, and the keys that were read before remain valid: Auth:KeysFile is");
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (await AskAsync(client, First), await AskAsync(client, Second)));
        Assert.DoesNotContain(app.Log, static line => line.Contains(First, StringComparison.Ordinal));

        file.Write("{}");
        await SeeAsync(app, "The keys were read again: 0 clients have a key.");
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(client, Second));
    }

    [Theory]
    [InlineData(null, "Auth:KeysFile is '")]
    [InlineData("no json", "it is no JSON object")]
    [InlineData("""{ "alice": "\ud800" }""", "it is no JSON object")] // half of a surrogate pair
    [InlineData("""{ "\ud800": "a-good-enough-secret" }""", "it is no JSON object")]
    [InlineData("""{ "alice": "short" }""", "KeysFile:alice is not a valid key (the value is not repeated here)")]
    public void An_unusable_key_file_fails_the_start(string? content, string fault)
    {
        using var other = new ServiceApp();
        Assert.NotNull(other.Server); // from here on a failed start throws instead of ending the program
        string path = _folder.File("keys.json");
        if (content is not null) File.WriteAllText(path, content);
        Assert.Contains(fault, StartFaults.Explain(ServiceApp.FailedStart(("Jobs:Store", "none"), ("Auth:KeysFile", path))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_keys_are_reloaded_although_another_file_in_the_folder_changes_continuously()
    {
        var clock = new WatchedClock();
        (string path, ApiKeyRing keys, ApiKeyFileWatch watch) = await WatchAsync(clock);
        using var end = watch;
        ApiKeys first = keys.Now;
        await File.WriteAllTextAsync(path, $$"""{ "alice": "{{Second}}" }""", ServiceApp.Token);

        for (int i = 0; i < 50 && keys.Now.Equals(first); i++)
        {
            int before = clock.Uses;
            await File.WriteAllTextAsync(_folder.File("other.log"), $"{i}", ServiceApp.Token);
            await Patience.UntilAsync(() => clock.Uses > before, "the event");
            clock.Advance(TimeSpan.FromMilliseconds(150));
        }

        Assert.NotEqual(first, keys.Now);
        await watch.StopAsync(ServiceApp.Token);
    }

    [Fact]
    public async Task A_stalled_read_does_not_overwrite_the_keys_of_a_later_read()
    {
        var timer = new ManualTimer();
        (string path, ApiKeyRing keys, ApiKeyFileWatch watch) = await WatchAsync(timer);
        using var end = watch;
        ApiKeys first = keys.Now;

        // Opening a pipe for reading waits for its writer, and reading ends when the writer closes it.
        using (Process make = Process.Start("mkfifo", [path + ".pipe"])) await make.WaitForExitAsync(ServiceApp.Token);
        File.Move(path + ".pipe", path, overwrite: true);
        Task stalled = Task.Run(timer.Fire, ServiceApp.Token);
        await using (FileStream pipe = await Task.Run(() => new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0)).Patiently())
        {
            await File.WriteAllTextAsync(path + ".new", $$"""{ "alice": "{{Second}}" }""", ServiceApp.Token);
            File.Move(path + ".new", path, overwrite: true);
            await Task.Run(timer.Fire, ServiceApp.Token).Patiently();
            Assert.NotEqual(first, keys.Now);
            await pipe.WriteAsync(System.Text.Encoding.UTF8.GetBytes($$"""{ "alice": "{{First}}" }"""), ServiceApp.Token);
        }
        await stalled.Patiently();

        Assert.NotEqual(first, keys.Now);
        await watch.StopAsync(ServiceApp.Token);
    }

    [Fact]
    public async Task A_lone_surrogate_in_the_key_file_keeps_the_previous_keys_and_throws_nothing()
    {
        var timer = new ManualTimer();
        (string path, ApiKeyRing keys, ApiKeyFileWatch watch) = await WatchAsync(timer);
        using var end = watch;
        ApiKeys first = keys.Now;

        await File.WriteAllTextAsync(path, """{ "alice": "\ud800" }""", ServiceApp.Token);
        timer.Fire();

        Assert.Equal(first, keys.Now);
        await watch.StopAsync(ServiceApp.Token);
    }

    [Fact]
    public async Task The_watch_reloads_the_key_file_later_although_the_log_throws()
    {
        using var log = new ThrowingLog();
        var timer = new ManualTimer();
        (string path, ApiKeyRing keys, ApiKeyFileWatch watch) = await WatchAsync(timer, log.For<ApiKeyFileWatch>(), changed: "no json");
        using var end = watch;
        ApiKeys first = keys.Now;

        timer.Fire();
        Assert.Equal((1, first, true), (log.Thrown, keys.Now, timer.IsSet));

        await File.WriteAllTextAsync(path, $$"""{ "alice": "{{Second}}" }""", ServiceApp.Token);
        timer.Fire();
        Assert.NotEqual(first, keys.Now);
        Assert.Equal((2, true), (log.Thrown, timer.IsSet));
        await watch.StopAsync(ServiceApp.Token);
    }

    [Fact]
    public void A_key_file_over_16_MiB_is_refused()
    {
        string path = _folder.File("keys.json");
        using (FileStream file = File.Create(path)) file.SetLength((16 << 20) + 1);
        var faults = new List<string>();
        Assert.Null(new ApiKeyFile(path).Read(faults));
        Assert.EndsWith("which cannot be read: it has more than 16 MiB", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    public void The_clients_in_the_settings_stay_as_they_were_at_the_start()
    {
        string path = _folder.File("keys.json");
        File.WriteAllText(path, "{}");
        IConfigurationRoot configuration = Configuration(("Auth:ApiKeys:alice", First), ("Auth:ApiKeys:bob:Key", "another-good-secret"), ("Auth:KeysFile", path));
        var settings = AuthSettings.Read(configuration, "/", []);
        Assert.Equal(2, settings.Keys!.Now.Count);

        configuration["Auth:ApiKeys:alice"] = Second;
        configuration["Auth:ApiKeys:bob:Key"] = null;

        var faults = new List<string>();
        Assert.Equal(settings.Keys.Now, settings.ReadKeys(faults));
        Assert.Empty(faults);
    }

    /// <summary>Watches a file with the first key of alice.</summary>
    /// <param name="clock">The clock of the watch.</param>
    /// <param name="log">Its log.</param>
    /// <param name="changed">The content that replaces the file before the watch starts, so that this change raises no event.</param>
    private async Task<(string Path, ApiKeyRing Keys, ApiKeyFileWatch Watch)> WatchAsync(
        TimeProvider clock, ILogger<ApiKeyFileWatch>? log = null, string? changed = null)
    {
        string path = _folder.File("keys.json");
        await File.WriteAllTextAsync(path, $$"""{ "alice": "{{First}}" }""", ServiceApp.Token);
        AuthSettings settings = Read(("Auth:KeysFile", path));
        var watch = new ApiKeyFileWatch(settings, settings.Keys!, clock, log ?? NullLogger<ApiKeyFileWatch>.Instance);
        if (changed is not null) await File.WriteAllTextAsync(path, changed, ServiceApp.Token);
        await watch.StartAsync(ServiceApp.Token);
        return (path, settings.Keys!, watch);
    }

    private static AuthSettings Read(params ReadOnlySpan<(string, string?)> settings) => AuthSettings.Read(Configuration(settings), "/", []);

    private static IConfigurationRoot Configuration(params ReadOnlySpan<(string Key, string? Value)> settings)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (key, value) in settings) values[key] = value;
        return new ConfigurationBuilder().AddInMemoryCollection(values).Build();
    }

    /// <summary>A clock that counts the reads of its time and the settings of its timers. Each file event reads the time.</summary>
    private sealed class WatchedClock : FakeTimeProvider
    {
        private int _uses;

        public int Uses => Volatile.Read(ref _uses);

        public override long GetTimestamp()
        {
            Interlocked.Increment(ref _uses);
            return base.GetTimestamp();
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new Timer(this, base.CreateTimer(callback, state, dueTime, period));

        private sealed class Timer(WatchedClock clock, ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                Interlocked.Increment(ref clock._uses);
                return timer.Change(dueTime, period);
            }

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }

    private static async Task<HttpStatusCode> AskAsync(HttpClient client, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/diagnostics/noop");
        request.Headers.Add("X-Api-Key", key);
        using HttpResponseMessage answer = await client.SendAsync(request, ServiceApp.Token);
        return answer.StatusCode;
    }

    /// <summary>Waits for a line of the log, which the service writes after the change has taken effect.</summary>
    private static Task SeeAsync(ServiceApp app, string part) =>
        Patience.UntilAsync(() => app.Log.Any(line => line.Contains(part, StringComparison.Ordinal)), $"'{part}' in the log");

    private sealed class KeyFile(string folder, bool mounted)
    {
        private int _versions;

        public string Path { get; } = System.IO.Path.Combine(folder, "keys.json");

        public void Write(string content)
        {
            if (!mounted)
            {
                File.WriteAllText(Path + ".new", content);
                File.Move(Path + ".new", Path, overwrite: true);
                return;
            }
            string version = $"..{++_versions}";
            Directory.CreateDirectory(System.IO.Path.Combine(folder, version));
            File.WriteAllText(System.IO.Path.Combine(folder, version, "keys.json"), content);
            string data = System.IO.Path.Combine(folder, "..data");
            File.CreateSymbolicLink(data + "_tmp", version);
            // File.Move would follow the links.
            using (Process move = Process.Start("mv", ["-T", data + "_tmp", data])) move.WaitForExit();
            if (_versions == 1) File.CreateSymbolicLink(Path, "..data/keys.json");
        }
    }
}
