using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace PoolApi.Consumers.Tests;

/// <summary>The examples of the library's README, for each kind of app, run as the README describes.</summary>
public sealed partial class RecipeTests
{
    [Fact]
    public async Task The_examples_of_the_README_run_on_the_pools_that_it_states()
    {
        await using var database = new SqliteConnection("Data Source=:memory:");
        await database.OpenAsync(ConsumerApp.Token);
        await using ConsumerApp consumer = await ConsumerApp.StartAsync(builder => Add(builder, database), Map, pool: false);

        foreach (var (method, path, content, answer) in ((HttpMethod, string, HttpContent?, string)[])
            [
                (HttpMethod.Post, "/render", JsonContent.Create(new Scene("a")), "a cpu"),
                (HttpMethod.Get, "/api/report/7", null, "7 io"),
                (HttpMethod.Get, "/api/ping", null, "server"),
                (HttpMethod.Get, "/attribute", null, "io"),
                (HttpMethod.Get, "/legacy/old", null, "legacy io"),
                (HttpMethod.Get, "/modern", null, "legacy server"),
                (HttpMethod.Get, "/books", null, "[]"),
                (HttpMethod.Get, "/price/3", null, "3 cpu"),
                (HttpMethod.Get, "/ticks", null, "data: cpu\n\ndata: cpu\n\n"),
                (HttpMethod.Post, "/upload", new MultipartFormDataContent { { new ByteArrayContent(new byte[5]), "file", "a.bin" } }, "5 cpu"),
            ])
        {
            Assert.Equal((path, answer), (path, (await consumer.SendAsync(method, path, content)).Ok()));
        }
        Assert.Contains("loaded", (await consumer.GetAsync("/list")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["load: io", "view: server"], consumer.Trail.Take());
        Assert.Contains("read", (await consumer.GetAsync("/lazy")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["view: io", "read: io"], consumer.Trail.Take());
        Assert.Contains("<p>loaded</p>", (await consumer.GetAsync("/Shelf")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["load: io", "page: server"], consumer.Trail.Take());
        Assert.Equal("io", await consumer.Services.GetServices<IHostedService>().OfType<Batches>().Single().First.Task.WaitAsync(ConsumerApp.Token));
        Assert.Equal((2, 8), (consumer.Pool("cpu").Workers, consumer.Pool("io").Workers));
    }

    private static void Add(WebApplicationBuilder builder, SqliteConnection database)
    {
        builder.Services.AddFixedThreadPool("cpu", o => o.Workers = 2);
        builder.Services.AddFixedThreadPool("io", o => { o.Workers = 8; o.QueueCapacity = 500; });
        builder.Services.AddHostedService<Batches>();
        builder.Services.AddRateLimiter(static o => o.AddConcurrencyLimiter("two", static limit => limit.PermitLimit = 2));
        builder.Services.AddRequestTimeouts(static o => o.AddPolicy("short", new RequestTimeoutPolicy { Timeout = TimeSpan.FromMinutes(1) }));
        builder.Services.AddOutputCache();
        builder.Services.AddSingleton<Shelf>();
        builder.Services.AddDbContext<Library>(options => options.UseSqlite(database));
        builder.Services.AddControllersWithViews().Only(typeof(BooksController));
        builder.Services.AddRazorPages();
    }

    private static void Map(WebApplication app)
    {
        FixedThreadPool pool = app.Services.GetRequiredService<FixedThreadPool>();
        using (IServiceScope scope = app.Services.CreateScope()) scope.ServiceProvider.GetRequiredService<Library>().Database.EnsureCreated();

        app.UseRateLimiter();
        app.UseRequestTimeouts();
        app.UseOutputCache();
        app.UseFixedThreadPool("/legacy", "io", o => o.MaxBodyBytes = 1_000_000);
        app.UseMiddleware<LegacyMiddleware>();

        app.MapPost("/render", (Scene scene) => Render(scene)).RunOnPool();
        RouteGroupBuilder api = app.MapGroup("/api").RunOnPool("io", o => o.MaxBodyBytes = 1_000_000);
        api.MapGet("/report/{id:int}", (int id) => Report(id));
        api.MapGet("/ping", () => Ping()).RunOffPool();
        app.MapGet("/attribute", [RunOnPool("io")] () => Ping());

        app.MapControllerRoute("books", "{action}", new { controller = "Books" }, new { action = "list|lazy" });
        app.MapRazorPages();
        app.MapGet("/books", (Library library) => library.Books.Where(b => b.Year > 2000).OrderBy(b => b.Id)).RunOnPool("io");
        app.MapGet("/price/{id:int}", (int id) => Price(id))
           .RequireRateLimiting("two").WithRequestTimeout("short").CacheOutput().RunOnPool();
        app.MapGet("/ticks", () => TypedResults.ServerSentEvents(Ticks(pool))).RunOnPool();
        app.MapPost("/upload", (IFormFile file) => Measure(file)).DisableAntiforgery().RunOnPool("cpu", o => o.MaxBodyBytes = 10_000);

        static async IAsyncEnumerable<string> Ticks(FixedThreadPool pool)
        {
            for (int i = 0; i < 2; i++) yield return await pool.RunAsync(() => Tick());
        }
    }

    private sealed record Scene(string Name);

    private static string Render(Scene scene) => $"{scene.Name} {Trail.Here}";

    private static string Report(int id) => $"{id} {Trail.Here}";

    private static string Ping() => Trail.Here;

    private static string Price(int id) => $"{id} {Trail.Here}";

    private static string Tick() => Trail.Here;

    private static string Measure(IFormFile file) => $"{file.Length} {Trail.Here}";

    private sealed class LegacyMiddleware(RequestDelegate next)
    {
        public Task InvokeAsync(HttpContext context) => context.Request.Path.Value is "/legacy/old" or "/modern"
            ? context.Response.WriteAsync($"legacy {Trail.Here}", ConsumerApp.Token)
            : next(context);
    }

    private sealed class Batches([FromKeyedServices("io")] FixedThreadPool pool) : BackgroundService
    {
        public TaskCompletionSource<string> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
            First.SetResult(await pool.RunAsync(static _ => Trail.Here, stoppingToken));
    }

    public sealed class Shelf(IServiceProvider services)
    {
        private Trail Trail => services.GetRequiredService<Trail>();

        public List<string> Load()
        {
            Trail.Add("load");
            return ["loaded"];
        }

        public IEnumerable<string> Read()
        {
            Trail.Add("read");
            yield return "read";
        }
    }

    [RunOnPool("io", Priority = WorkPriority.Low, MaxQueueTimeMilliseconds = 5000)]
    public sealed class BooksController(Shelf shelf) : Controller
    {
        public IActionResult List() => View(shelf.Load());

        [RunOnPool(ExecuteResult = true)]
        public IActionResult Lazy() => View("List", shelf.Read());
    }

    public sealed class Book
    {
        public int Id { get; set; }

        public int Year { get; set; }
    }

    public sealed class Library(DbContextOptions<Library> options) : DbContext(options)
    {
        public DbSet<Book> Books => Set<Book>();
    }

    [Fact]
    public void Each_line_of_code_in_the_README_chapter_is_part_of_this_test()
    {
        string readme = Read("README.md"), code = Read("RecipeTests.cs") + Read("Shelf.cshtml.cs");
        string chapter = readme[readme.IndexOf("## In each kind of app", StringComparison.Ordinal)..];
        chapter = chapter[..chapter.IndexOf("\n## ", 1, StringComparison.Ordinal)];
        string[] lines = [.. Block().Matches(chapter).SelectMany(static m => m.Groups[1].Value.Split('\n'))
            .Select(static line => line.Split("  //")[0].Trim()).Where(static line => line.Length > 1)];
        Assert.True(lines.Length > 20, $"The README has {lines.Length} lines of code.");
        Assert.All(lines, line => Assert.Contains(line + "\n", code, StringComparison.Ordinal));

        static string Read(string name)
        {
            using var reader = new StreamReader(typeof(RecipeTests).Assembly.GetManifestResourceStream(name)!);
            return reader.ReadToEnd();
        }
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
