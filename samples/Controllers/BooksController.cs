using Microsoft.AspNetCore.Mvc;
using PoolApi.AspNetCore;

namespace Controllers;

/// <summary>
/// A controller whose actions block. With the attribute all of them run on the pool "io". MVC's filters and the formatting of the
/// response do not run there.
/// </summary>
[ApiController, Route("books"), RunOnPool("io")]
public sealed class BooksController : ControllerBase
{
    private static readonly Book[] Shelf = [new(1, "The Art of Multiprocessor Programming"), new(2, "Java Concurrency in Practice")];

    /// <summary>Every book.</summary>
    [HttpGet]
    public IEnumerable<Book> List() => Load();

    /// <summary>One book. An action's attribute takes precedence over its controller's: here it sets a limit for the time in the queue.</summary>
    [HttpGet("{id:int}"), RunOnPool("io", MaxQueueTimeMilliseconds = 500)]
    public ActionResult<Book> Get(int id) => Load().FirstOrDefault(book => book.Id == id) is { } book ? book : NotFound();

    // Blocks, as a synchronous database driver does.
    private static Book[] Load()
    {
        Thread.Sleep(5);
        return [.. Shelf.Select(static book => book with { Thread = Thread.CurrentThread.Name })];
    }
}

/// <summary>A book, and the thread that read it.</summary>
public sealed record Book(int Id, string Title, string? Thread = null);
