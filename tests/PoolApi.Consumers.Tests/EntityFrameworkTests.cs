using Microsoft.AspNetCore.Mvc;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace PoolApi.Consumers.Tests;

/// <summary>Entity Framework: its blocking calls, and queries that run as their results are enumerated.</summary>
public sealed class EntityFrameworkTests : IDisposable
{
    private readonly SqliteConnection _database = new("Data Source=:memory:");

    public EntityFrameworkTests() => _database.Open();

    public void Dispose() => _database.Dispose();

    private Task<ConsumerApp> StartAsync() => ConsumerApp.StartAsync(
        b =>
        {
            b.Services.AddDbContext<Library>((services, options) =>
                options.UseSqlite(_database).AddInterceptors(new Watch(services.GetRequiredService<Trail>())));
            b.Services.AddControllers().Only(typeof(BooksController));
        },
        static app =>
        {
            using (IServiceScope scope = app.Services.CreateScope())
            {
                Library library = scope.ServiceProvider.GetRequiredService<Library>();
                library.Database.EnsureCreated();
                library.Books.AddRange(new Book { Title = "A" }, new Book { Title = "B" }, new Book { Title = "C" });
                library.SaveChanges();
                scope.ServiceProvider.GetRequiredService<Trail>().Take();
            }
            Map(app.MapGroup("/off"));
            Map(app.MapGroup("/on").RunOnPool());
            app.MapControllers();
        });

    private static void Map(RouteGroupBuilder group)
    {
        group.MapGet("/query", static (Library library) => library.Books.Where(static b => b.Title != "B").OrderBy(static b => b.Id));
        group.MapGet("/value", static (Library library) => TypedResults.Ok(library.Books.Select(static b => b.Title)));
        group.MapGet("/list", static (Library library) => library.Books.OrderBy(static b => b.Id).ToList());
        group.MapGet("/later", static (Library library, CancellationToken cancellation) =>
            library.Books.OrderBy(static b => b.Id).ToListAsync(cancellation));
    }

    [Fact]
    public async Task A_query_that_a_handler_returns_runs_on_the_pool_and_its_answer_is_the_same()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string path in (string[])["query", "value", "list", "later"])
        {
            Reply off = await app.GetAsync("/off/" + path);
            Assert.Equal(["query: server"], app.Trail.Take());
            Reply on = await app.GetAsync("/on/" + path);
            Assert.Equal(["query: cpu"], app.Trail.Take());
            Reply.AssertSame(off, on);
        }
    }

    [Theory]
    [InlineData("/books/query")]
    [InlineData("/books/result")]
    public async Task A_query_that_an_action_returns_runs_on_the_pool(string path)
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Equal("""["A","B","C"]""", (await app.GetAsync(path)).Ok());
        Assert.Equal(["query: cpu"], app.Trail.Take());
    }

    [ApiController]
    [Route("books")]
    [RunOnPool]
    public sealed class BooksController(Library library) : ControllerBase
    {
        [HttpGet("query")]
        public IQueryable<string> Query() => library.Books.OrderBy(static b => b.Id).Select(static b => b.Title);

        [HttpGet("result")]
        public IActionResult Result() => Ok(Query());
    }

    public sealed class Book
    {
        public int Id { get; set; }

        public required string Title { get; set; }
    }

    public sealed class Library(DbContextOptions<Library> options) : DbContext(options)
    {
        public DbSet<Book> Books => Set<Book>();
    }

    /// <summary>Notes where each query is executed.</summary>
    private sealed class Watch(Trail trail) : DbCommandInterceptor
    {
        public override InterceptionResult<System.Data.Common.DbDataReader> ReaderExecuting(
            System.Data.Common.DbCommand command, CommandEventData eventData, InterceptionResult<System.Data.Common.DbDataReader> result)
        {
            trail.Add("query");
            return result;
        }

        public override ValueTask<InterceptionResult<System.Data.Common.DbDataReader>> ReaderExecutingAsync(
            System.Data.Common.DbCommand command, CommandEventData eventData, InterceptionResult<System.Data.Common.DbDataReader> result,
            CancellationToken cancellationToken = default)
        {
            trail.Add("query");
            return ValueTask.FromResult(result);
        }
    }
}
