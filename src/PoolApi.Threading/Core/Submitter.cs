namespace PoolApi.Threading.Core;

/// <summary>A worker that submits an item while it holds another one; the default value: a submitter from outside.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Depth">The length of the chain of items that caused the submitted one; 0: it comes from outside.</param>
/// <remarks>
/// Recorded on the worker's thread. A submitter that waits for space continues after an await on another thread, and the worker may be blocked
/// until the submitted item has ended.
/// </remarks>
internal readonly record struct Submitter(Worker? Worker, int Depth);
